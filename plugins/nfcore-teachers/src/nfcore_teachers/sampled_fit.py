"""Fitting a field that takes the same number of samples on every ray: NeRF and Mip-NeRF."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from nfcore import Budget, Views
from nfcore.io import State
from nfcore.runtime import eager_optimizer
from nfcore_teachers.fitting import Fit

#: Steps in which the step size rises from nothing.
WARM_UP_STEPS = 50


class SampledFit(Fit):
    """One fit of one field: Adam, step size falling exponentially (NeRF, section 5.3).

    Args:
        teacher: a new field; ``see(rays, random)`` gives its coarse and its fine view of rays, and
            ``coarse_weight`` what the coarse one's error counts.
        views: the photos.
        budget: steps, seconds and seed.
        generator: seeded with the budget's seed; draws everything random.
        rays: rays per step.
        rate: Adam's first step size.
        final_rate: the last step size as a share of the first.

    """

    teacher: Any

    def __init__(
        self,
        teacher: Any,
        views: Views,
        budget: Budget,
        generator: torch.Generator,
        rays: int,
        rate: float,
        final_rate: float,
    ) -> None:
        super().__init__(teacher, views, budget, generator)
        self.rays, self.rate, self.final_rate = rays, rate, final_rate
        self.optimizer = eager_optimizer(torch.optim.Adam)(teacher.parameters(), lr=rate, fused=True)

    def step(self, step: int, progress: float) -> float:
        """Take one step: squared errors of the coarse and of the fine view (NeRF, equation 6)."""
        pixels = self.draw(self.rays)
        views = self.teacher.see(pixels.rays, self.random)
        coarse, fine = (F.mse_loss(seen.rgb, pixels.colours) for seen in views)
        rate = self.rate * self.final_rate**progress * min(1.0, (step + 1) / WARM_UP_STEPS)
        self.descend(fine + self.teacher.coarse_weight * coarse, [rate])
        return fine.item()

    def figures(self) -> dict[str, float]:
        """Return nothing: all steps are alike."""
        return {}

    def particulars(self) -> dict[str, State]:
        """Return nothing: the weights are all."""
        return {}

    def resume(self, state: State) -> None:
        """Do nothing: the weights are there."""
