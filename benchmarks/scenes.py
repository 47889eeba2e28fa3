"""The quickstart on real scenes: quality on the test views, and time, with the command of each."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "nerf_synthetic"
SCENES = ("lego", "chair")
SIZES = (100, 200)


def measure() -> list[dict[str, Any]]:
    """Return a row for each scene and size; the comparisons are kept beside the figures."""
    if not DATA.is_dir():
        sys.exit(f"the scenes benchmark needs real data: there is no {DATA}")
    return [_run(scene, size) for size in SIZES for scene in SCENES]


def _run(scene: str, size: int) -> dict[str, Any]:
    command = [
        "nfcore",
        "run",
        "quickstart",
        "--scene",
        f"blender:{DATA.relative_to(Path.cwd(), walk_up=True) if sys.version_info >= (3, 12) else DATA}/{scene}",
        *(["--set", f"image_size={size}"] if size != 100 else []),
    ]
    with tempfile.TemporaryDirectory() as folder:
        executable = str(Path(sys.executable).parent / command[0])
        began = time.perf_counter()
        output = subprocess.run(
            [executable, *command[1:], "--runs", folder, "--name", "run", "--json"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        seconds = time.perf_counter() - began
        pictures = Path(__file__).parent / "results" / "pictures"
        pictures.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(folder) / "run/previews/comparison.png", pictures / f"quickstart-{scene}-{size}.png")
    summary = json.loads(output)
    return {
        "scene": scene,
        "size": size,
        "teacher PSNR": round(summary["teacher.test.psnr"], 2),
        "teacher SSIM": round(summary["teacher.test.ssim"], 4),
        "student PSNR": round(summary["student.test.psnr"], 2),
        "student SSIM": round(summary["student.test.ssim"], 4),
        "distilled PSNR": round(summary["student.distilled.psnr"], 2),
        "ONNX max error": summary["export.onnx.max_error"],
        "Core ML dB": round(summary["export.coreml.psnr_vs_torch"], 1),
        "wall s": round(seconds),
        "command": " ".join(command).replace(str(DATA), "../shared/data/nerf_synthetic"),
    }
