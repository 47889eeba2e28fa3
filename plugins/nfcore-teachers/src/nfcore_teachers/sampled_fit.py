"""Fitting a field that takes the same number of samples on every ray: NeRF and Mip-NeRF."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from nfcore import Budget, Views
from nfcore.runtime import eager_optimizer
from nfcore_teachers.fitting import Fit
from nfcore_teachers.options import SampledOptions

#: Steps in which the step size rises from nothing.
WARM_UP_STEPS = 50


class SampledFit(Fit):
    """One fit of one field: Adam, step size falling exponentially (NeRF, section 5.3).

    Args:
        teacher: a new field, with ``SampledOptions``; ``see(rays, random)`` gives its coarse and its fine view of
            rays, and ``coarse_weight`` what the coarse one's error counts.
        views: the photos.
        budget: steps, seconds and seed.
        generator: seeded with the budget's seed; draws everything random.

    """

    teacher: Any

    def __init__(self, teacher: Any, views: Views, budget: Budget, generator: torch.Generator) -> None:
        super().__init__(teacher, views, budget, generator)
        self.options: SampledOptions = teacher.options
        adam = eager_optimizer(torch.optim.Adam)
        self.optimizer = adam(teacher.parameters(), lr=self.options.learning_rate, fused=True)

    def step(self, step: int, progress: float) -> float:
        """Take one step: squared errors of the coarse and of the fine view (NeRF, equation 6)."""
        pixels = self.draw(self.options.rays_per_step)
        views = self.teacher.see(pixels.rays, self.random)
        coarse, fine = (F.mse_loss(seen.rgb, pixels.colours) for seen in views)
        fallen = self.options.final_learning_rate**progress
        rate = self.options.learning_rate * fallen * min(1.0, (step + 1) / WARM_UP_STEPS)
        self.descend(fine + self.teacher.coarse_weight * coarse, [rate])
        return fine.item()
