"""Stratified and importance sampling with a fixed number of samples per ray, for NeRF and Mip-NeRF."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nfcore.geometry import Domain, Paths
from nfcore_teachers.rendering import RayColours

#: Returns random numbers in [0, 1) of a shape.
Random = Callable[..., Tensor]


def span(domain: Domain, paths: Paths) -> tuple[Tensor, Tensor]:
    """Return where n paths enter and leave the domain, (n,) each; both are equal for a path that misses it."""
    near, far = paths.clipped(*(paths.near.new_tensor(corner) for corner in domain.box))
    return near, torch.maximum(near, far)


def stratified(near: Tensor, far: Tensor, samples: int, random: Random | None) -> Tensor:
    """Return distances (n, samples), one in each of ``samples`` equal parts of the path: NeRF, equation 2.

    ``random`` places them within their parts; None puts them in the middle.
    """
    within = 0.5 if random is None else random(len(near), samples)
    shares = (torch.arange(samples, device=near.device) + within) / samples
    return near[:, None] + (far - near)[:, None] * shares


def resampled(edges: Tensor, weights: Tensor, samples: int, random: Random | None) -> Tensor:
    """Return distances (n, samples) in rising order, distributed by ``weights``: NeRF, section 5.2.

    Args:
        edges: (n, k + 1) in rising order, between which the density of the distribution is constant.
        weights: (n, k), 0 or more, not all 0.
        samples: number of samples, drawn by inverting the cdf at equal steps.
        random: places each sample within its step; None uses the middle.

    """
    share = weights / weights.sum(1, keepdim=True)
    cumulative = torch.cat([torch.zeros_like(share[:, :1]), share.cumsum(1)], 1)
    within = (
        torch.full_like(edges[:, :1], 0.5).expand(-1, samples) if random is None else random(len(edges), samples)
    )
    drawn = (torch.arange(samples, device=edges.device) + within) / samples * cumulative[:, -1:]
    above = torch.searchsorted(cumulative, drawn.contiguous(), right=True).clamp(1, weights.shape[1])
    low, high = cumulative.gather(1, above - 1), cumulative.gather(1, above)
    begin, end = edges.gather(1, above - 1), edges.gather(1, above)
    return begin + (end - begin) * ((drawn - low) / (high - low).clamp_min(1e-10)).clamp(0, 1)


def quadrature(density: Tensor, lengths: Tensor) -> Tensor:
    """Return the weights (n, s) of samples with ``density`` (n, s) over ``lengths`` (n, s): NeRF, equation 3."""
    absorbed = density * lengths
    return torch.exp(absorbed - absorbed.cumsum(1)) * -torch.expm1(-absorbed)


def composite(domain: Domain, paths: Paths, distance: Tensor, weights: Tensor, colour: Tensor) -> RayColours:
    """Return the rendering of samples at ``distance`` (n, s) with ``weights`` (n, s) and ``colour`` (n, s, 3)."""
    opacity = weights.sum(1)
    background = torch.tensor(domain.scene.background, device=opacity.device)
    rgb = (weights[..., None] * colour).sum(1) + (1 - opacity)[:, None] * background
    mean = (weights.detach() * distance).sum(1)
    return RayColours(rgb, opacity, paths.mean_depth(mean, opacity.detach()), distance.numel())


def absorbing(paths: Paths, distance: Tensor, lengths: Tensor) -> Tensor:
    """Return the lengths (n, s) of steps around ``distance`` (n, s), in the unit of the domain's densities."""
    stretch = paths.stretch(distance, torch.arange(len(distance), device=distance.device))
    return lengths if stretch is None else lengths * stretch
