"""Overhead of calling a student's parts through the framework, relative to mobiler2l-small's training step."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.students import build
from nfcore import LightField, plugins
from nfcore.config.resolve import configure
from nfcore.config.schema import TrainingConfig
from nfcore.runtime.threads import single_thread
from nfcore.scene.cameras import Cameras, ray_grid
from nfcore.training.loop import autocast
from nfcore.views.crops import sample_crops
from nfcore.views.training_views import TrainingViews

_PAIRS = 1000
_STEPS = 50


def measure() -> list[dict[str, Any]]:
    """Return microseconds of a plain forward pass, of the framework's overhead (at most 1%), and of a step."""
    config = configure("mobiler2l-small", plugins())
    student = build("mobiler2l-small", config.image_size or 100).train()
    views = _noise(student.cameras)
    generator = torch.Generator().manual_seed(0)

    def crops(batch: int, side: int | None) -> tuple[Cameras, torch.Tensor]:
        return sample_crops(views, batch, side, student.scale, config.distill.shift, generator)

    with single_thread():
        # The overhead is the same for any number of rays: one ray shows it best.
        one_ray, _ = crops(1, 1)
        hand, extra = _compare(lambda: _by_hand(student, one_ray), lambda: student(one_ray))
        step = _step(student, lambda: crops(config.distill.batch, config.distill.crop), config.distill)
        whole = statistics.median([_seconds(step) for _ in range(_STEPS)])
    return [
        _row("forward pass of one ray, parts by hand", hand, whole),
        _row("what LightField.forward adds", extra, whole),
        _row("training step of mobiler2l-small", whole, whole),
    ]


def _compare(first: Callable[[], torch.Tensor], second: Callable[[], torch.Tensor]) -> tuple[float, float]:
    """Return the median seconds of ``first``, and the median difference of ``second`` from it.

    The difference is taken within each pair of calls, so that slower changes of the machine's load cancel out, and
    the order within a pair alternates, so that neither always profits from the other's warm caches.
    """
    torch.testing.assert_close(first(), second())
    firsts, differences = [], []
    for turn in range(_PAIRS):
        calls = (first, second) if turn % 2 else (second, first)
        seconds = {call: _seconds(call) for call in calls}
        firsts.append(seconds[first])
        differences.append(seconds[second] - seconds[first])
    return statistics.median(firsts), statistics.median(differences)


def _row(what: str, seconds: float, step: float) -> dict[str, Any]:
    return {"what": what, "us": round(1e6 * seconds, 1), "of a training step, %": round(100 * seconds / step, 2)}


def _by_hand(student: LightField, cameras: Cameras) -> torch.Tensor:
    """Compute what ``LightField.forward`` does by calling the parts directly."""
    rays = ray_grid(cameras.poses, cameras.intrinsics, cameras.height, cameras.width, student.scale)
    image: torch.Tensor = student.upsampler(student.backbone(student.encoding(*rays)))
    return image


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _noise(cameras: Cameras, count: int = 64) -> TrainingViews:
    """Return views of noise: their contents do not affect the time."""
    height, width = cameras.height, cameras.width
    return TrainingViews(
        cameras[torch.arange(count) % len(cameras)],
        torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8),
        torch.tensor([[0, 0, height, width]]).expand(count, -1),
    )


def _step(
    student: LightField, crops: Callable[[], tuple[Cameras, torch.Tensor]], config: TrainingConfig
) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        cameras, truth = crops()
        with autocast(config.precision):
            images = student(cameras)
        loss = torch.nn.functional.mse_loss(images.float(), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step
