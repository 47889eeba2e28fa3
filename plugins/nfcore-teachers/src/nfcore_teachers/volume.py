"""Volume rendering of packed samples: all rays' samples in one list, each ray's from front to back.

The quadrature is that of Max 1995 ("Optical models for direct volume rendering") as in NeRF (Mildenhall et al.
2020), equation 3: over a step of length d, density s absorbs 1 - exp(-s d) of the light that reaches it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nfcore.runtime import has_double_precision

# MKL picks its kernel for a function on the function's first call; before oneMKL 2025 not thread-safely: a first
# call on several threads now and then gives low precision (pytorch issue 188792), and the same seed other weights.
# A first call on a single number is safe.
for _function in (torch.exp, torch.expm1):
    for _dtype in (torch.float32, torch.float64):
        _function(torch.zeros(1, dtype=_dtype))


def volume_weights(optical_depth: Tensor, counts: Tensor) -> Tensor:
    """Return how much each sample adds to its ray: transmittance up to it times its own opacity.

    Running sums over the packed list, less their value where the ray begins, stand for a loop over rays. They
    are taken in double precision: in single, what other rays absorbed before would eat the last digits. A device
    without double precision takes them ray by ray, in a table as wide as the longest ray.

    Args:
        optical_depth: (m,) density times step length, 0 or more; packed ray by ray, front to back.
        counts: (n,) int64, the number of samples of each ray; their sum is m.

    Returns:
        (m,) in [0, 1], of the type of ``optical_depth``; a ray's weights sum to its opacity. Gradients flow to
        ``optical_depth``.

    """
    weights: Tensor = _Weights.apply(optical_depth, counts)  # type: ignore[no-untyped-call]
    return weights


class _Weights(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, optical_depth: Tensor, counts: Tensor) -> Tensor:
        depth = optical_depth.double() if has_double_precision(optical_depth.device) else optical_depth
        before = _running_sums(depth, counts) - depth
        transmittance = torch.exp(-before)
        weights = transmittance * -torch.expm1(-depth)
        ctx.save_for_backward(weights, transmittance - weights, counts)
        return weights.to(optical_depth.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        # A thicker sample absorbs more light, and dims everything behind it.
        weights, behind, counts = ctx.saved_tensors
        running = _running_sums(gradient * weights, counts)
        total = _per_sample(_value_at(running, counts.cumsum(0) - 1), counts, len(running))
        return (gradient * behind - (total - running)).to(gradient.dtype), None


def _running_sums(values: Tensor, counts: Tensor) -> Tensor:
    """Return for each sample the sum of its ray's values (m,) up to it, itself included."""
    ends = counts.cumsum(0)
    if values.dtype is torch.float64:
        sums = values.cumsum(0)
        before = sums - values
        return sums - _per_sample(_value_at(before, ends - counts), counts, len(values))
    places = torch.arange(len(values), device=values.device) - _per_sample(ends - counts, counts, len(values))
    rays = _per_sample(torch.arange(len(counts), device=values.device), counts, len(values))
    table = values.new_zeros(len(counts), int(counts.max()) if len(counts) else 0)
    table[rays, places] = values
    return table.cumsum(1)[rays, places]


def _value_at(values: Tensor, places: Tensor) -> Tensor:
    """Return values[places]; the place of a ray without samples may lie outside, and its value is not used."""
    return values[places.clamp(0, len(values) - 1)] if len(values) else values.new_zeros(len(places))


def _per_sample(per_ray: Tensor, counts: Tensor, samples: int) -> Tensor:
    return per_ray.repeat_interleave(counts, output_size=samples)


def accumulate(values: Tensor, ray: Tensor, rays: int) -> Tensor:
    """Return the sum of the samples' values on each ray: (m,) or (m, c) to (rays,) or (rays, c); differentiable.

    ``ray`` (m,) int64 says which ray a sample belongs to.
    """
    return values.new_zeros(rays, *values.shape[1:]).index_add(0, ray, values)
