"""Where along a ray the teacher sees something: quantiles of what a march through its density meets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nfcore import Space

#: A ray's weights are mixed with this much of an even distribution over the whole ray: where nothing is met the
#: points spread evenly, and no division is by zero.
EVEN = 1e-2
#: A point is the mean of the quantiles in this share of its K-th of the distribution. A single quantile that falls
#: between two surfaces moves by 1 / EVEN of any rounding, far enough for exports to differ visibly from torch.
BAND = 0.25

#: Density (.., S, ..) per scene unit at x, y, z in the cube, (.., S, ..) each.
Density = Callable[[Sequence[Tensor]], Tensor]


def march(
    density: Density, space: Space, origins: Tensor, directions: Tensor, steps: int, points: int
) -> tuple[Tensor, Tensor]:
    """Return where the points of each ray lie, and how much it meets at all.

    The volume rendering weights (NeRF, equation 3) of ``steps`` even samples are a distribution along the ray;
    its quantiles around (k + 1/2) / K are the points, as in NeRF's hierarchical sampling (section 5.2).
    Cumulative sums, clamps and sums only: no sorting and no searching, which exporters do not have.

    Args:
        density: what is marched through; no gradients flow to it.
        space: the space in which steps are even.
        origins: (b, 3, h, w) scene units.
        directions: (b, 3, h, w); z = -1 in camera space.
        steps: S.
        points: K.

    Returns:
        Fractions (b, K, h, w) of the rays' span through the space, in [0, 1], that do not decrease along K, and
        the opacity (b, 1, h, w) in [0, 1].

    """
    edges = torch.arange(steps + 1, device=origins.device, dtype=origins.dtype).reshape(1, -1, 1, 1) / steps
    middles = (edges[:, 1:] + edges[:, :-1]) / 2
    depths = space.depths(origins, directions, edges, 1)
    speed = directions.square().sum(1, keepdim=True).sqrt()
    lengths = (depths[:, 1:] - depths[:, :-1]) * speed
    met = density(space.coordinates(origins, directions, middles, 1)) * lengths
    passed = torch.exp(-met.cumsum(1))
    weights = torch.cat([1 - passed[:, :1], passed[:, :-1] - passed[:, 1:]], 1)
    opacity = 1 - passed[:, -1:]

    shares = weights + EVEN / steps
    so_far = shares.cumsum(1)
    total = so_far[:, -1:]
    before = (so_far - shares) / shares
    slope = total / shares
    means = []
    for k in range(points):
        first, last = ((k + 0.5 + side * BAND) / points * slope - before for side in (-0.5, 0.5))
        full = (_covered(last) - _covered(first)) / (BAND / points * slope)
        means.append(full.sum(1, keepdim=True) / steps)
    return torch.cat(means, 1), opacity


def _covered(x: Tensor) -> Tensor:
    """Return the integral from 0 to ``x`` of how much of a step lies before a quantile: none, a part, then all."""
    return x.clamp(0, 1).square() / 2 + (x - 1).clamp(min=0)
