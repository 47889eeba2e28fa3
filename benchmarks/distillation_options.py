"""The effect of each pseudo-view option: the small pure student on lego at 100x100, short runs, one seed."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.data import scene
from nfcore import plugins
from nfcore.config.resolve import configure
from nfcore.config.schema import DistillConfig
from nfcore.pipeline import distill, evaluate
from nfcore.runs import Artifacts, execute

STEPS, VIEWS, SIZE = 2000, 300, 100
_ROOM_FOR_100 = 100.5 * SIZE * SIZE * 3 / (1 << 30)
BASE: dict[str, Any] = {"steps": STEPS, "views": VIEWS, "batch": 16, "crop": 12, "learning_rate": 4e-3}
CHANGES: dict[str, dict[str, Any]] = {
    "16 crops of 12x12 rays": {},
    "4 whole views": {"batch": 4, "crop": None},
    "shift = true": {"shift": True},
    "hard = 0.3": {"hard": 0.3},
    "hard = 0.6": {"hard": 0.6},
    "photos = 0.6": {"photos": 0.6},
    "photos = 0.6, shift = true": {"photos": 0.6, "shift": True},
    "views = 100": {"views": 100},
    "room for 100 of 300 views": {"view_memory": _ROOM_FOR_100},
    "background = false": {"background": False},
}


def measure() -> list[dict[str, Any]]:
    """Return a row for each option: PSNR on the 25 test views, and CPU seconds of the distillation."""
    changes = [f"image_size={SIZE}"]
    config = configure("mobiler2l-small", plugins(), scene=f"blender:{scene()}", changes=changes)
    with tempfile.TemporaryDirectory() as folder:
        run = execute(Path(folder) / "run", config, stage="teach")
        return [_row(name, run, change) for name, change in CHANGES.items()]


def _row(name: str, run: Artifacts, change: dict[str, Any]) -> dict[str, Any]:
    student = run.new_student()
    began = time.process_time()
    distill(student, run.teacher, run.source, DistillConfig(**BASE | change))
    seconds = time.process_time() - began
    views = run.source.views("test")
    row = {
        "option": name,
        "PSNR, test photos": round(evaluate(student, views).mean["psnr"], 2),
        "CPU s": round(seconds),
    }
    print(row, file=sys.stderr, flush=True)
    return row
