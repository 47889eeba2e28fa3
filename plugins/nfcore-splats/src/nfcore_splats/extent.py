"""Where the things are that Gaussians show: a box without stray ones, and whether a background surrounds them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore import UserError
from nfcore.scene import Vector
from nfcore_splats.gaussians import Gaussians

# Fainter Gaussians say nothing about where things are.
_VISIBLE = 0.1
# Shares of the Gaussians that are inside of the box along each axis, and of the sphere.
_STRAY = 0.005
# A background is there if the farthest of most are so many times as far away as half of them.
_AROUND, _FAR = 0.98, 6.0
_MARGIN = 1.1


@dataclass(frozen=True)
class Extent:
    """The extent of Gaussians in their own world.

    Args:
        centre: (3,) scene units.
        radius: of the sphere around the centre that the box is in.
        box: lower and upper corner.
        surrounded: whether there is a background far beyond the box.

    """

    centre: Tensor
    radius: float
    box: tuple[Vector, Vector]
    surrounded: bool


def extent(gaussians: Gaussians, where: str) -> Extent:
    """Return the extent of ``gaussians``.

    Raises:
        UserError: all of them are transparent.

    """
    points = gaussians.means[gaussians.opacity_logits.sigmoid() > _VISIBLE]
    if not len(points):
        raise UserError(f"{where}: shows nothing: all {len(gaussians):,} Gaussians are transparent")
    middle = points.median(0).values
    distance = (points - middle).norm(dim=1)
    surrounded = float(_quantile(distance, _AROUND)) > _FAR * float(_quantile(distance, 0.5))
    if surrounded:
        # What is looked at: half of the Gaussians, and as much again.
        points = points[distance <= 2 * _quantile(distance, 0.5)]
    low, high = _quantile(points, _STRAY), _quantile(points, 1 - _STRAY)
    size = (high - low).max().clamp_min(1e-6)
    half = _MARGIN * torch.maximum((high - low) / 2, 0.05 * size)
    centre = (low + high) / 2
    box = _vector(centre - half), _vector(centre + half)
    return Extent(centre, float(half.norm()), box, surrounded)


def _quantile(values: Tensor, share: float) -> Tensor:
    """Return the quantile along the first axis; torch's own takes 16 million values at most."""
    return values.sort(0).values[round(share * (len(values) - 1))]


def _vector(values: Tensor) -> Vector:
    x, y, z = values.tolist()
    return x, y, z
