"""Teachers alone on real scenes: quality on all test views over the time of fitting, with the commands of each."""

from __future__ import annotations

import os
import resource
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.commands import run_json
from benchmarks.data import DATA, scene
from benchmarks.earlier import earlier

_LEGO, _CHAIR = "nerf_synthetic/lego", "nerf_synthetic/chair"
#: By name: ray source, data set, teacher, image size, and the setting that says how long it is fitted.
CASES = {
    "lego-200 deferred, 40 s": ("blender", _LEGO, "deferred", 200, "seconds=40"),
    "lego-200 voxels": ("blender", _LEGO, "voxels", 200, "steps=2400"),
    "lego-400 deferred, 60 s": ("blender", _LEGO, "deferred", 400, "seconds=60"),
    "lego-400 deferred, 180 s": ("blender", _LEGO, "deferred", 400, "seconds=180"),
    "chair-400 deferred, 75 s": ("blender", _CHAIR, "deferred", 400, "seconds=75"),
    "lego-800 deferred, 300 s": ("blender", _LEGO, "deferred", 800, "seconds=300"),
    "lego-800 deferred, 900 s": ("blender", _LEGO, "deferred", 800, "seconds=900"),
    "beer-160 voxels": ("colmap", "colmap/beer", "voxels", 160, "steps=2400"),
    "beer-160 deferred, 60 s": ("colmap", "colmap/beer", "deferred", 160, "seconds=60"),
    "fern-252 voxels": ("llff", "nerf_llff_data/fern", "voxels", 252, "steps=2400"),
    "fern-252 deferred, 60 s": ("llff", "nerf_llff_data/fern", "deferred", 252, "seconds=60"),
}


def measure(only: str = "") -> list[dict[str, Any]]:
    """Return a row for each run; only those with ``only`` in their names are measured again."""
    before = earlier("fields", "run")
    again = {only} if only in CASES else {name for name in CASES if only in name}
    rows = {name: _run(name, *case) if name in again else before.get(name) for name, case in CASES.items()}
    return [row for row in rows.values() if row]


def _run(name: str, kind: str, path: str, teacher: str, size: int, budget: str) -> dict[str, Any]:
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        settings = ("--set", f"image_size={size}", "--set", f"teach.{budget}")
        teach = [
            "nfcore",
            "teach",
            run,
            "--recipe",
            "field",
            "--scene",
            f"{kind}:{scene(path)}",
            "--teacher",
            teacher,
        ]
        _, teaching, taught = run_json([*teach, *settings])
        summary, evaluating, evaluated = run_json(["nfcore", "evaluate", run])
        command = " ".join([*teach, *settings]).replace(str(DATA), "../shared/data").replace(run, "runs/field")
    return {
        "run": name,
        "PSNR": round(summary["teacher.test.psnr"], 2),
        "SSIM": round(summary["teacher.test.ssim"], 4),
        "test views": summary["test_views"],
        "fitting, wall s": summary["seconds.teach"],
        "from start to scores, wall s": round(teaching + evaluating, 1),
        "CPU s": round(taught + evaluated),
        "largest process so far, GiB": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20, 2),
        "load before": round(load, 1),
        "command": f"{command} && nfcore evaluate runs/field",
    }
