"""The paper's size on a CPU: a few steps of the recipe mobiler2l, its exports, and peak memory."""

from __future__ import annotations

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
        ran = run_json([*command, "--runs", folder, "--name", "run"])
    figures = {
        "command": " ".join(command).replace(str(DATA), "../shared/data"),
        "wall s": round(ran.wall),
        "peak memory, GiB": round(ran.peak, 2),
        **{name: value for name, value in ran.output.items() if name.startswith(FIGURES)},
    }
    return [{"figure": name, "value": value} for name, value in figures.items()]
