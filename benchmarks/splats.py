"""A fitted field (2400 steps) as 3D Gaussians: quality and bytes of its PLY and SPZ, by number and degree."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.data import scene
from nfcore import Budget, FittedTeacher, Reporter, plugins
from nfcore.evaluation import psnr

#: Photos' size, steps of the fit, and options of the exporter.
SIZE, STEPS = 200, 2400
OPTIONS: tuple[dict[str, int], ...] = (
    {},
    {"splats": 20_000, "degree": 1},
    {"splats": 10_000, "degree": 0},
)


def measure(scenes: str = "lego") -> list[dict[str, Any]]:
    """Return a row for each scene and set of options, over all test views; ``scenes`` separated by commas."""
    return [row for name in scenes.split(",") for row in _rows(name)]


def _rows(name: str) -> list[dict[str, Any]]:
    path = str(scene(f"nerf_synthetic/{name}"))
    source = plugins().build("ray_source", "nfcore-scenes/blender", {"path": path}, SIZE)
    teacher = plugins().build("teacher", "nfcore-teachers/deferred", {}, source.scene)
    teacher.fit(source, Budget(STEPS), Reporter())
    test = source.views("test")
    model = FittedTeacher(teacher.eval(), test.cameras)
    return [{"scene": f"{name} {SIZE}", **_row(model, test, options)} for options in OPTIONS]


def _row(model: FittedTeacher, test: Any, options: dict[str, int]) -> dict[str, Any]:
    exporter: Any = plugins().build("exporter", "nfcore-splats/splats", options)
    photos = test.images.permute(0, 3, 1, 2)
    with tempfile.TemporaryDirectory() as name:
        folder, began = Path(name), time.process_time()
        report = exporter.export(model, folder).report
        seconds = time.process_time() - began
        shown = exporter.load(folder).render(test.cameras.poses, test.cameras.intrinsics)
    field = model.render(test.cameras)
    return {
        "splats": report["splats"],
        "degree": report["degree"],
        "PLY, MB": round(report["PLY, bytes"] / 1e6, 2),
        "SPZ, MB": round(report["SPZ, bytes"] / 1e6, 2),
        "photos, dB": round(float(psnr(shown, photos).mean()), 2),
        "field, dB": round(float(psnr(field, photos).mean()), 2),
        "to the field, dB": round(float(psnr(shown, field).mean()), 2),
        "SPZ to the field, dB": report["SPZ, dB to the teacher"],
        "export, CPU s": round(seconds, 1),
    }
