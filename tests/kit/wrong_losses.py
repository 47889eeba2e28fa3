"""For each rule of losses, one that breaks it and no other."""

from __future__ import annotations

import right
import torch
from torch import nn
from wrong_options import wrong_options

from nfcore.testing import LossConformance


class PerPixel(right.Loss):
    def forward(self, image, target, opacity=None, depth=None):
        cost = super().forward(image, target, opacity, depth)
        return cost[None] if image.shape[0] == 3 else cost


class Infinite(right.Loss):
    def forward(self, image, target, opacity=None, depth=None):
        cost = super().forward(image, target, opacity, depth)
        return cost + torch.where(image.amax() > 0, 0.0, float("inf"))


class Attracted(right.Loss):
    """Least at a grey image."""

    def forward(self, image, target, opacity=None, depth=None):
        return super().forward(image, torch.full_like(target, 0.5), opacity, depth)


class Detached(right.Loss):
    def forward(self, image, target, opacity=None, depth=None):
        return super().forward(image.detach() + 0 * image, target, opacity, depth)


class Root(right.Loss):
    def forward(self, image, target, opacity=None, depth=None):
        return super().forward(image, target, opacity, depth).sqrt()


class Weighted(right.Loss):
    def __init__(self, options) -> None:
        super().__init__(options)
        self.weight = nn.Parameter(torch.ones(()))


class Counting(right.Loss):
    calls = 0

    def forward(self, image, target, opacity=None, depth=None):
        self.calls += 1
        return self.calls * super().forward(image, target, opacity, depth)


class Stuck(right.Loss):
    def __init__(self, options) -> None:
        super().__init__(options)
        self.scale = torch.ones(3, 1, 1)

    def forward(self, image, target, opacity=None, depth=None):
        return super().forward(self.scale * image, self.scale * target, opacity, depth)


WRONG = {
    **wrong_options(right.Loss),
    "loss.scalar": PerPixel,
    "loss.finite": Infinite,
    "loss.least-at-target": Attracted,
    "loss.gradient": Detached,
    "loss.gradient-finite": Root,
    "loss.no-weights": Weighted,
    "loss.seed": Counting,
    "loss.device": Stuck,
}
KIT, RIGHT = LossConformance, right.Loss
