"""Complete runs on real scenes: quality on the test views, time and size, with the command of each."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.commands import run_json
from benchmarks.data import DATA, scene
from benchmarks.earlier import RESULTS, earlier

PICTURES = RESULTS / "pictures"

# Settings for twelve minutes on two cores, and for half an hour.
_LONG = ("teach.steps=4000", "distill.steps=20000", "distill.views=1300")
_LARGE = ("image_size=400", "teach.steps=8000", "distill.steps=40000", "distill.views=1500")
_CAPTURES = {
    "fern-252": ("llff", "nerf_llff_data/fern", ("image_size=252", "student.scale=3")),
    "beer-160": ("colmap", "colmap/beer", ("image_size=160", "student.scale=2")),
}
_SYNTHETIC = {
    f"{scene}-{size}": ("blender", f"nerf_synthetic/{scene}", (f"image_size={size}",))
    for size in (100, 200)
    for scene in ("lego", "chair")
}
#: Scenes with the settings that their size needs; the quick ones first.
SCENES = _SYNTHETIC | _CAPTURES
LONGER = {
    "lego-200-long": ("blender", "nerf_synthetic/lego", ("image_size=200", *_LONG)),
    "lego-400": ("blender", "nerf_synthetic/lego", _LARGE),
}


def measure(only: str = "") -> list[dict[str, Any]]:
    """Return a row for each run; only those with ``only`` in their names are measured again.

    The comparisons go to ``results/pictures``, which git ignores.
    """
    cases = {
        f"{recipe} {name}": (recipe, *case)
        for recipe, scenes in (("quickstart", SCENES | LONGER), ("mobiler2l-small", SCENES))
        for name, case in scenes.items()
    }
    before = earlier("scenes", "run")
    again = {only} if only in cases else {name for name in cases if only in name}
    rows = {name: _run(name, *case) if name in again else before.get(name) for name, case in cases.items()}
    return [row for row in rows.values() if row]


def _run(name: str, recipe: str, kind: str, path: str, changes: tuple[str, ...]) -> dict[str, Any]:
    sets = [part for change in changes for part in ("--set", change)]
    command = ["nfcore", "run", recipe, "--scene", f"{kind}:{scene(path)}", *sets]
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        ran = run_json([*command, "--runs", folder, "--name", "run"])
        summary = ran.output
        PICTURES.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(folder) / "run/previews/comparison.png", PICTURES / f"{name.replace(' ', '-')}.png")
    return {
        "run": name,
        "teacher PSNR": round(summary["teacher.test.psnr"], 2),
        "distilled PSNR": round(summary["student.distilled.psnr"], 2),
        "student PSNR": round(summary["student.test.psnr"], 2),
        "student SSIM": round(summary["student.test.ssim"], 4),
        "test views": summary["test_views"],
        "GMAC": round(summary["student.macs"] / 1e9, 3),
        "ONNX fp32 max error": f"{summary['export.onnx.max_error']:.1e}",
        "Core ML dB": round(summary["export.coreml.psnr_vs_torch"], 1),
        "wall s": round(ran.wall),
        "CPU s": round(ran.cpu),
        "load before": round(load, 1),
        "command": " ".join(command).replace(str(DATA), "../shared/data"),
    }
