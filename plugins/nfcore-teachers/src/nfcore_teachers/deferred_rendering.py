"""Rendering of a deferred field: values are summed along a ray, and the network is asked once for all of it.

SNeRG (Hedman et al. 2021, section 4.1) defers its network so; here it adds to the colour that is summed, in both
directions, and the sums are linear in what the grid stores, so that no function is asked for at a sample.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from nfcore import Rays
from nfcore.geometry import Domain
from nfcore_teachers.colour_network import ColourNetwork
from nfcore_teachers.marching import Marcher
from nfcore_teachers.rendering import RayColours, sample, weigh
from nfcore_teachers.volume import accumulate


class DeferredField(Protocol):
    """What a field must answer to be rendered so. Gradients flow to its parameters."""

    @property
    def network(self) -> ColourNetwork:
        """From values summed along rays (n, v) and unit directions, the colour that is added where they end."""

    def density(self, points: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return density (m,) per unit of the domain at points (m, 3) of the domain, and values (m, v)."""


def render_deferred(
    field: DeferredField, marcher: Marcher, domain: Domain, rays: Rays, jitter: Tensor | None = None
) -> RayColours:
    """Return what ``rays`` (n, 3) see: as ``rendering.render_rays``, with colour by ray instead of by sample.

    A ray with opacity o and sums s over its samples is of the colour s[:3] + o * network + (1 - o) * background.
    """
    paths, n = domain.paths(rays), len(rays)
    samples, points = sample(marcher, paths, jitter)
    density, (values,) = field.density(points)
    weights = weigh(density, marcher, paths, samples)
    opacity = accumulate(weights, samples.ray, n)[:, None]
    sums = accumulate(weights[:, None] * values, samples.ray, n)
    directions = rays.directions / rays.directions.norm(dim=1, keepdim=True)
    background = torch.tensor(domain.scene.background, device=opacity.device)
    rgb = sums[:, :3] + opacity * field.network(sums, directions) + (1 - opacity) * background
    distance = accumulate(weights.detach() * samples.distance, samples.ray, n)
    depth = paths.mean_depth(distance, opacity[:, 0].detach())
    return RayColours(rgb, opacity[:, 0], depth, len(samples.ray))
