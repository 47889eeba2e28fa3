"""The paper's size on a CPU: a few steps of the recipe mobiler2l, its exports, and peak memory."""

from __future__ import annotations

import resource
import tempfile
from typing import Any

from benchmarks.commands import run_json
from benchmarks.data import DATA, scene

SETTINGS = ("teach.steps=200", "distill.steps=10", "finetune.steps=2")
FIGURES = ("student.parameters", "student.macs", "seconds.", "export.")


def measure() -> list[dict[str, Any]]:
    """Return seconds and peak memory of a shortened run at 100x100 -> 800x800."""
    changes = [part for setting in SETTINGS for part in ("--set", setting)]
    command = ["nfcore", "run", "mobiler2l", "--scene", f"blender:{scene()}", *changes]
    with tempfile.TemporaryDirectory() as folder:
        summary, seconds, _ = run_json([*command, "--runs", folder, "--name", "run"])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1 << 20)
    figures = {
        "command": " ".join(command).replace(str(DATA), "../shared/data"),
        "wall s": round(seconds),
        "peak memory, GiB": round(peak, 2),
        **{name: value for name, value in summary.items() if name.startswith(FIGURES)},
    }
    return [{"figure": name, "value": value} for name, value in figures.items()]
