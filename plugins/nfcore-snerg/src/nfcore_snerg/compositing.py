"""Sums of the samples along rays, in torch: opacities and premultiplied values, as the viewer blends them."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore.geometry import interpolate
from nfcore_snerg.atlas import Atlas
from nfcore_snerg.lattice import Samples

#: A ray ends behind the sample after which the transmittance is no more than this.
LEAST_TRANSMITTANCE = 1 / 255
#: Samples of a lower opacity are skipped.
LEAST_ALPHA = 0.5 / 255


def look_up(atlas: Atlas, table: Tensor, samples: Samples) -> Tensor:
    """Return (m, 8) opacity and premultiplied values at ``samples``; gradients flow to ``table`` (rows, 8)."""
    rows, weights = corners(samples, atlas.rows.shape[1])
    return interpolate(table, atlas.rows.view(-1)[rows], weights, constant_first=True)


@torch.no_grad()
def corners(samples: Samples, size: int) -> tuple[Tensor, Tensor]:
    """Return (m, 8): which texels of blocks of ``size`` texels a side are around samples, and their weights."""
    place = samples.place - 0.5
    low = place.floor().clamp(0, size - 2)
    share = place - low
    x, y, z = low.long().unbind(1)
    first = ((samples.slot * size + x) * size + y) * size + z
    steps = torch.tensor([(i * size + j) * size + k for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    ends = torch.stack([1 - share, share], 2)
    weights = ends[:, 0, :, None, None] * ends[:, 1, None, :, None] * ends[:, 2, None, None, :]
    return first[:, None] + steps, weights.reshape(-1, 8)


def composite(values: Tensor, ray: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return sums along n rays (n, 8), and the transmittance up to each sample (m,), 0 where the ray has ended.

    Args:
        values: (m, 8) opacities and premultiplied values; gradients flow to them.
        ray: (m,) int64, packed ray by ray from front to back.
        n: number of rays.

    """
    seen = values[:, 0].detach() > LEAST_ALPHA
    passed = torch.where(seen, 1 - values[:, 0], 1.0).clamp_min(1e-7)
    depth = passed.double().log().cumsum(0)
    counts = torch.bincount(ray, minlength=n)
    first = (counts.cumsum(0) - counts).clamp(max=max(0, len(ray) - 1))
    before = depth - passed.double().log()
    light = (before - before[first].repeat_interleave(counts)).exp().float() if len(ray) else values[:, 0]
    light = torch.where(seen & (light.detach() > LEAST_TRANSMITTANCE), light, 0.0)
    return values.new_zeros(n, values.shape[1]).index_add(0, ray, light[:, None] * values), light
