"""Gaussians by gsplat: its picture against our rasteriser's on the CPU, and a fit by its strategy.

gsplat compiles its kernels when it is first asked for, which takes minutes; only fits after that are timed.
"""

from __future__ import annotations

import importlib.util
import time

import torch

from benchmarks.data import scene
from benchmarks.gpu.part import DEVICE, kept, row, seconds
from nfcore import Budget, FittedTeacher, Reporter, plugins
from nfcore.evaluation import psnr
from nfcore.io.images import save_png

SIZE, FITTING = 200, 60


def main() -> None:
    """Print all rows."""
    if DEVICE == "cuda" and importlib.util.find_spec("gsplat") is None:
        row("splats", "not run", note="gsplat is not installed here")
        return
    if DEVICE == "cuda":
        began = time.perf_counter()
        importlib.import_module("gsplat.cuda._backend")
        row("splats: gsplat's own compilation", round(time.perf_counter() - began), unit="s")
    source = plugins().build("ray_source", "nfcore-scenes/blender", {"path": str(scene())}, SIZE)
    test = source.views("test")
    photos = test.images[:].permute(0, 3, 1, 2)
    teacher = plugins().build("teacher", "nfcore-splats/splats", {}, source.scene).to(DEVICE)
    began = time.perf_counter()
    teacher.fit(source, Budget(10**6, seconds=seconds(FITTING)), Reporter())
    spent = time.perf_counter() - began
    shown = FittedTeacher(teacher.eval(), test.cameras).render(test.cameras).cpu()
    note = f"{len(teacher.gaussians)} Gaussians after {spent:.0f} s"
    row(f"lego at {SIZE} pixels, splats, {seconds(FITTING):g} s", _dB(shown, photos), unit="dB", note=note)
    here = FittedTeacher(teacher.to("cpu"), test.cameras).render(test.cameras)
    row("splats: gsplat's pictures against our rasteriser's", _dB(shown, here), unit="dB")
    save_png(kept() / "splats.png", torch.cat([shown[3], photos[3]], 2).permute(1, 2, 0))


def _dB(image: torch.Tensor, reference: torch.Tensor) -> float:  # noqa: N802
    return round(float(psnr(image, reference).mean()), 2)


if __name__ == "__main__":
    main()
