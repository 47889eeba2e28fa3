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

_LEGO, _CHAIR = ("blender", "nerf_synthetic/lego"), ("blender", "nerf_synthetic/chair")
_FERN, _BEER = ("llff", "nerf_llff_data/fern"), ("colmap", "colmap/beer")
_FERN_PHOTOS, _BEER_PHOTOS = ("photos", "nerf_llff_data/fern/images_4"), ("photos", "colmap/beer/images")
#: Ray source, path and settings of each run, by recipe; the quick ones first.
CASES: dict[str, dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "quickstart": {"lego-400": (*_LEGO, ()), "chair-400": (*_CHAIR, ())},
    **{
        recipe: {
            "lego-200": (*_LEGO, ("image_size=200",)),
            "chair-200": (*_CHAIR, ("image_size=200",)),
            # As long as 0.1 took for them: 338 and 345 s.
            "fern-252": (*_FERN, ("image_size=252", "student.scale=3", "minutes=5.6")),
            "beer-160": (*_BEER, ("image_size=160", "student.scale=2", "minutes=5.6")),
            # The same photos alone: their poses are estimated in the same command.
            "fern-252 without poses": (*_FERN_PHOTOS, ("image_size=252", "student.scale=3", "minutes=5.6")),
            "beer-160 without poses": (*_BEER_PHOTOS, ("image_size=160", "student.scale=2", "minutes=5.6")),
        }
        for recipe in ("guided", "mobiler2l-small")
    },
}


def measure(only: str = "") -> list[dict[str, Any]]:
    """Return a row for each run; only those with ``only`` in their names are measured again.

    The comparisons go to ``results/pictures``, which git ignores.
    """
    cases = {
        f"{recipe} {name}": (recipe, *case) for recipe, scenes in CASES.items() for name, case in scenes.items()
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
        "Core ML MB": round(summary["export.coreml.bytes"] / 1e6, 2),
        "wall s": round(ran.wall),
        "CPU s": round(ran.cpu),
        **_page(summary),
        "load before": round(load, 1),
        "command": " ".join(command).replace(str(DATA), "../shared/data"),
    }


def _page(summary: dict[str, Any]) -> dict[str, Any]:
    """Return what the page of the fitted field weighs and shows, where the recipe makes one."""
    if "export.webgl.bytes" not in summary:
        return {}
    return {
        "page MB": round(summary["export.webgl.bytes"] / 1e6, 2),
        "page, dB to the photos": round(summary["export.webgl.psnr_vs_photos"], 2),
    }
