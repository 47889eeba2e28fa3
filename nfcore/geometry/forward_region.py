"""Novel poses for forward-facing scenes, whose cameras all look the same way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.geometry.orbits import look_at
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras

#: MobileR2L draws from 1.1 times the box of the training cameras.
_MARGIN = 1.1


@dataclass(frozen=True)
class ForwardRegion:
    """The bounding boxes of positions and of view axes (MobileR2L, reference code for LLFF scenes).

    Args:
        position: (2, 3) lower and upper corner, scene units.
        axis: (2, 3) lower and upper corner of the unit vectors that cameras look along.
        up: (3,) unit vector.

    >>> region = ForwardRegion.around(source.views("train").cameras)  # doctest: +SKIP
    >>> poses = region.sample(100, torch.Generator().manual_seed(0))  # doctest: +SKIP

    """

    position: Tensor
    axis: Tensor
    up: Tensor

    @classmethod
    def around(cls, cameras: Cameras) -> ForwardRegion:
        """Return the region of ``cameras``: their boxes, enlarged 1.1 times."""
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

    def spiral(self, n: int, focus: float, turns: int = 2) -> Tensor:
        """Return ``n`` poses (n, 3, 4) on a spiral through half of the positions, looking at one point.

        NeRF's ``render_path_spiral``: two turns across the view axis, one back and forth along it, all looking at
        the point at distance ``focus`` from the centre. NeRF's radii are the 90th percentile of the positions;
        here they are half of the box, as for ``loop``, so that the poses stay where cameras were.
        """
        angle = torch.arange(n) * (2 * math.pi * turns / n)
        waves = torch.stack([angle.cos(), -angle.sin(), -(angle / 2).sin()], 1)
        middle = _within(self.position, torch.tensor(0.5))
        axis = F.normalize(_within(self.axis, torch.tensor(0.5)), dim=0)
        return look_at(_within(self.position, 0.5 + 0.25 * waves), middle + focus * axis, self.up)

    def _poses(self, eyes: Tensor, axes: Tensor) -> Tensor:
        return look_at(eyes, eyes + axes, self.up)


def focus_depth(scene: Scene) -> float:
    """Return the depth that cameras in a box turn to, as in NeRF's spiral: 3 to 1 between the disparities."""
    return 1 / (0.25 / scene.near + 0.75 / scene.far)


def _grown(values: Tensor) -> Tensor:
    low, high = values.amin(0), values.amax(0)
    margin = (_MARGIN - 1) / 2 * (high - low)
    return torch.stack([low - margin, high + margin])


def _within(box: Tensor, fractions: Tensor) -> Tensor:
    return box[0] + fractions * (box[1] - box[0])
