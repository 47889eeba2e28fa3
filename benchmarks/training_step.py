"""A training step of mobiler2l-small's student: crops of many views against full views, bf16 against fp32."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.students import build
from nfcore import LightField
from nfcore.config.schema import TrainingConfig
from nfcore.measuring.timing import interleaved
from nfcore.training.precision import autocast, network_dtype
from nfcore.views.crops import CropRule, CropSampler
from nfcore.views.training_views import TrainingViews


def measure() -> list[dict[str, Any]]:
    """Return milliseconds per step and rays per second of each form of the step."""
    student = build("mobiler2l-small", 100)
    count = 64
    views = TrainingViews(
        student.cameras[torch.arange(count) % len(student.cameras)],
        torch.randint(0, 256, (count, 100, 100, 3), dtype=torch.uint8),
        torch.tensor([[20, 20, 80, 80]]).expand(count, -1),
    )
    forms = {
        "1 whole view, fp32": TrainingConfig(steps=1, batch=1, precision="fp32"),
        "1 whole view, auto": TrainingConfig(steps=1, batch=1),
        "16 crops of 12x12 rays, fp32": TrainingConfig(steps=1, batch=16, crop=12, precision="fp32"),
        "16 crops of 12x12 rays, auto": TrainingConfig(steps=1, batch=16, crop=12),
    }
    timings = interleaved({name: _step(student, views, form) for name, form in forms.items()}, rounds=30)
    seconds = {name: timing.median for name, timing in timings.items()}
    rays = {name: form.batch * (form.crop or 25) ** 2 for name, form in forms.items()}
    first = next(iter(forms))
    return [
        {
            "step": name,
            "ms": round(1e3 * seconds[name], 2),
            "rays/s": round(rays[name] / seconds[name]),
            "rays/s, ratio": round(rays[name] / seconds[name] / (rays[first] / seconds[first]), 2),
        }
        for name in forms
    ]


def _step(student: LightField, views: TrainingViews, config: TrainingConfig) -> Any:
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-3, fused=True)
    device = torch.device("cpu")
    dtype = network_dtype(config.precision, device)
    rule = CropRule(config.batch, config.crop, student.scale)
    crops = CropSampler(views, rule, torch.Generator().manual_seed(0))

    def step() -> None:
        batch = crops.draw(0.0)
        with autocast(dtype, device):
            images = student.train()(batch.cameras)
        loss = torch.nn.functional.mse_loss(images.float(), batch.images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step
