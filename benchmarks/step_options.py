"""The effect of each training option: a small pure student on lego at 100x100, 1000 steps, one seed."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.data import scene
from nfcore import Reporter, plugins
from nfcore.config.resolve import configure
from nfcore.config.schema import DistillConfig
from nfcore.pipeline import evaluate
from nfcore.pipeline.losses import build_loss
from nfcore.runs import Artifacts, execute
from nfcore.runtime.threads import single_thread
from nfcore.training.loop import train
from nfcore.views.photo_split import validation_images
from nfcore.views.pseudo_views import PseudoViews

RECIPE = """
image_size = 100
teacher = "nfcore-teachers/voxels"
teach = { steps = 2400 }
distill = { steps = 1000 }
finetune = { steps = 0 }

[scene]
name = "nfcore-scenes/blender"

[student]
scale = 4
encoding = { name = "nfcore-mobiler2l/points", samples = 12, octaves = 4, span = "box", jitter = false }
backbone = { name = "nfcore-mobiler2l/residual-conv", depth = 16, width = 96, activation = "relu", norm = "none" }
upsampler = { name = "nfcore-mobiler2l/pixel-shuffle", kernel = 3 }
"""
VIEWS = 300
BASE: dict[str, Any] = {"steps": 1000, "batch": 16, "crop": 12, "learning_rate": 4e-3, "precision": "fp32"}
CHANGES: dict[str, dict[str, Any]] = {
    "adamw at 4e-3, mse, cosine, fp32": {},
    "learning_rate = 8e-3": {"learning_rate": 8e-3},
    "optimizer = muon": {"optimizer": "muon"},
    "optimizer = muon, learning_rate = 8e-3": {"optimizer": "muon", "learning_rate": 8e-3},
    "precision = bf16": {"precision": "bf16"},
}


def measure() -> list[dict[str, Any]]:
    """Return a row for each option: PSNR on the validation images, and CPU time per step."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "recipe.toml"
        recipe.write_text(RECIPE)
        config = configure(str(recipe), plugins(), scene=f"blender:{scene()}")
        run = execute(Path(folder) / "run", config, stage="teach")
        views = _views(run)
        return [_row(name, run, views, change) for name, change in CHANGES.items()]


def _views(run: Artifacts) -> PseudoViews:
    """Return all pseudo views, rendered once for all options."""
    size = run.source.views("train").cameras
    room = torch.empty((VIEWS, size.height, size.width, 3), dtype=torch.uint8)
    teacher = run.teacher
    views = PseudoViews(teacher, run.source, room, count=VIEWS, first=VIEWS, per_step=0, seed=1, workers=0)
    views.prepare(0)
    return views


def _row(name: str, run: Artifacts, views: PseudoViews, change: dict[str, Any]) -> dict[str, Any]:
    student = run.new_student()
    settings = DistillConfig(**BASE | change)
    began = time.process_time()
    with single_thread():
        train(student, views, build_loss(settings), settings, 0, Reporter())
    seconds = time.process_time() - began
    row = {
        "option": name,
        "PSNR, validation images": round(evaluate(student, validation_images(run.source)).mean["psnr"], 2),
        "CPU ms per step": round(1e3 * seconds / settings.steps, 1),
    }
    print(row, file=sys.stderr, flush=True)
    return row
