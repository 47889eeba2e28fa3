"""Novel poses for forward-facing scenes: among cameras that all look the same way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.cameras import Cameras
from nfcore.orbits import look_at

#: MobileR2L draws from 1.1 times the box of the training cameras.
_MARGIN = 1.1


@dataclass(frozen=True)
class ForwardRegion:
    """The box that positions fill, and the one that view axes fill (MobileR2L, reference code for LLFF scenes).

    Args:
        position: (2, 3) lower and upper corner, scene units.
        axis: (2, 3) lower and upper corner of the unit vectors that cameras look along.
        up: (3,) unit vector.

    """

    position: Tensor
    axis: Tensor
    up: Tensor

    @classmethod
    def around(cls, cameras: Cameras) -> ForwardRegion:
        """Return 1.1 times the boxes of what ``cameras`` have."""
        position, axis = cameras.poses[:, :, 3], -F.normalize(cameras.poses[:, :, 2], dim=-1)
        up = F.normalize(cameras.poses[:, :, 1].mean(0), dim=0)
        return cls(_grown(position), _grown(axis), up)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return ``n`` poses (n, 3, 4), position and view axis each uniform in its box."""
        position, axis = torch.rand(2, n, 3, generator=generator).unbind()
        return self._poses(_within(self.position, position), _within(self.axis, axis))

    def loop(self, n: int) -> Tensor:
        """Return ``n`` poses (n, 3, 4) on a closed ellipse through half of the positions, with the mean axis."""
        angle = torch.arange(n) * (2 * math.pi / n)
        waves = torch.stack([angle.cos(), angle.sin(), torch.zeros(n)], 1)
        return self._poses(_within(self.position, 0.5 + 0.25 * waves), _within(self.axis, torch.full((n, 3), 0.5)))

    def _poses(self, eyes: Tensor, axes: Tensor) -> Tensor:
        return look_at(eyes, eyes + axes, self.up)


def _grown(values: Tensor) -> Tensor:
    low, high = values.amin(0), values.amax(0)
    margin = (_MARGIN - 1) / 2 * (high - low)
    return torch.stack([low - margin, high + margin])


def _within(box: Tensor, fractions: Tensor) -> Tensor:
    return box[0] + fractions * (box[1] - box[0])
