"""One image: ONNX Runtime on the exported file against torch, two threads."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.students import build
from benchmarks.timing import interleaved
from nfcore import DeployedLightField, plugins

SIZES = {"mobiler2l-small": 100, "mobiler2l": 800}


def measure() -> list[dict[str, Any]]:
    """Return milliseconds per image of each student and runtime."""
    return [row for recipe, size in SIZES.items() for row in _measure(recipe, size)]


@torch.no_grad()
def _measure(recipe: str, size: int) -> list[dict[str, Any]]:
    student = build(recipe, size)
    deployed = DeployedLightField(student)
    camera = student.cameras[0]
    exporter = plugins().build("exporter", "onnx", {})
    with tempfile.TemporaryDirectory() as folder:
        exporter.export(student, Path(folder))
        runner = exporter.load(Path(folder))
        seconds = interleaved(
            {
                "torch, eager, norms folded": lambda: deployed(camera.poses, camera.intrinsics),
                "ONNX Runtime, fp32": lambda: runner.render(camera.poses, camera.intrinsics),
            },
            rounds=5,
        )
    torch_seconds = next(iter(seconds.values()))
    return [
        {
            "student": f"{recipe}, {size}x{size}",
            "runtime": name,
            "ms": round(1e3 * value, 1),
            "speed against torch": round(torch_seconds / value, 2),
        }
        for name, value in seconds.items()
    ]
