"""The quickstart on real scenes: quality on the test views, and time, with the command of each."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.commands import run_json

PICTURES = Path(__file__).parent / "results" / "pictures"
DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "nerf_synthetic"
SCENES = ("lego", "chair")
SIZES = (100, 200)


def measure() -> list[dict[str, Any]]:
    """Return a row for each scene and size; the comparisons go to ``results/pictures``, which git ignores."""
    if not DATA.is_dir():
        sys.exit(f"the scenes benchmark needs real data: there is no {DATA}")
    return [_run(scene, size) for size in SIZES for scene in SCENES]


def _run(scene: str, size: int) -> dict[str, Any]:
    changes = ["--set", f"image_size={size}"] if size != 100 else []
    command = ["nfcore", "run", "quickstart", "--scene", f"blender:{DATA / scene}", *changes]
    with tempfile.TemporaryDirectory() as folder:
        summary, seconds = run_json([*command, "--runs", folder, "--name", "run"])
        PICTURES.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(folder) / "run/previews/comparison.png", PICTURES / f"quickstart-{scene}-{size}.png")
    return {
        "scene": scene,
        "size": size,
        "teacher PSNR": round(summary["teacher.test.psnr"], 2),
        "teacher SSIM": round(summary["teacher.test.ssim"], 4),
        "distilled PSNR": round(summary["student.distilled.psnr"], 2),
        "student PSNR": round(summary["student.test.psnr"], 2),
        "student SSIM": round(summary["student.test.ssim"], 4),
        "ONNX fp32 max error": f"{summary['export.onnx.max_error']:.1e}",
        "Core ML dB": round(summary["export.coreml.psnr_vs_torch"], 1),
        "wall s": round(seconds),
        "command": " ".join(command).replace(str(DATA), "../shared/data/nerf_synthetic"),
    }
