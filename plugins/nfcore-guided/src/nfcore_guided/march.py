"""Points on a ray where the teacher has density: quantiles of the volume rendering weights along it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nfcore import Space

#: Weight of a uniform distribution mixed into each ray's weights: in empty space the points spread evenly, and no
#: division is by zero.
EVEN = 1e-2
#: A point is the mean of the quantiles in the middle of its K-th of the distribution, this share of it. A single
#: quantile between two surfaces would amplify rounding by 1 / EVEN: exports would differ visibly from torch.
BAND = 0.25

#: Density (.., S, ..) per scene unit at x, y, z in the cube, (.., S, ..) each.
Density = Callable[[Sequence[Tensor]], Tensor]


def march(
    density: Density, space: Space, origins: Tensor, directions: Tensor, steps: int, points: int
) -> tuple[Tensor, Tensor]:
    """Return the positions of each ray's points, and its opacity.

    The volume rendering weights (NeRF, equation 3) of ``steps`` even samples are a distribution along the ray;
    its quantiles around (k + 1/2) / K are the points, as in NeRF's hierarchical sampling (section 5.2).
    It takes only sums, cumulative sums and clamps: exporters can't convert sorting and searching.

    Args:
        density: the density that is marched through; no gradients flow to it.
        space: the space in which steps are even.
        origins: (b, 3, h, w) scene units.
        directions: (b, 3, h, w); z = -1 in camera space.
        steps: S.
        points: K.

    Returns:
        Fractions (b, K, h, w) of the ray's span through the space, in [0, 1], non-decreasing along K, and
        the opacity (b, 1, h, w) in [0, 1].

    """
    edges = torch.arange(steps + 1, device=origins.device, dtype=origins.dtype).reshape(1, -1, 1, 1) / steps
    middles = (edges[:, 1:] + edges[:, :-1]) / 2
    depths = space.depths(origins, directions, edges, 1)
    direction_norm = directions.square().sum(1, keepdim=True).sqrt()
    lengths = (depths[:, 1:] - depths[:, :-1]) * direction_norm
    optical_depth = density(space.coordinates(origins, directions, middles, 1)) * lengths
    transmittance = torch.exp(-optical_depth.cumsum(1))
    weights = torch.cat([1 - transmittance[:, :1], transmittance[:, :-1] - transmittance[:, 1:]], 1)
    opacity = 1 - transmittance[:, -1:]

    pdf = weights + EVEN / steps
    cdf = pdf.cumsum(1)
    total = cdf[:, -1:]
    before = (cdf - pdf) / pdf
    slope = total / pdf
    means = []
    for k in range(points):
        first, last = ((k + 0.5 + side * BAND) / points * slope - before for side in (-0.5, 0.5))
        full = (_coverage(last) - _coverage(first)) / (BAND / points * slope)
        means.append(full.sum(1, keepdim=True) / steps)
    return torch.cat(means, 1), opacity


def _coverage(x: Tensor) -> Tensor:
    """Return the integral from 0 to ``x`` of the fraction of a step that is before a quantile: clamp(x, 0, 1)."""
    return x.clamp(0, 1).square() / 2 + (x - 1).clamp(min=0)
