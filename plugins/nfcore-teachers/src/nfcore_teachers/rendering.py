"""Rendering a radiance field along rays: march, ask for density, weigh, ask for colour where it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nfcore import Rays, Scene
from nfcore_teachers.marching import Marcher
from nfcore_teachers.volume import accumulate, volume_weights

#: Samples that add less than this to their ray are not asked for colour: about half of all, for under 0.1 dB.
LEAST_WEIGHT = 1e-3


class RadianceField(Protocol):
    """What a field must answer to be rendered. Gradients flow to its parameters."""

    def density(self, points: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return density (m,) per scene unit, 0 or more, at points (m, 3) in scene units.

        With it come tensors of m rows, which ``radiance`` gets back for the samples that show.
        """

    def radiance(self, at: tuple[Tensor, ...], directions: Tensor, ray: Tensor) -> Tensor:
        """Return RGB (k, 3) in [0, 1] of k samples.

        ``at`` is what ``density`` gave for them. They are seen along ``directions[ray]``, where ``directions``
        (n, 3) are the rays' unit vectors and ``ray`` is (k,) int64.
        """


@dataclass(frozen=True)
class RayColours:
    """What n rays see, differentiable in the field's parameters.

    Args:
        rgb: (n, 3), composited on the background.
        opacity: (n,) in [0, 1].
        depth: (n,), the sum of the samples' ``t`` times their weights, in the rays' ``t``; no gradient.
        samples: how many samples it took.

    """

    rgb: Tensor
    opacity: Tensor
    depth: Tensor
    samples: int


def render_rays(
    field: RadianceField, marcher: Marcher, scene: Scene, rays: Rays, jitter: Tensor | None = None
) -> RayColours:
    """Return what ``rays`` (n, 3) see of ``field``.

    Args:
        field: gives density and colour.
        marcher: places the samples.
        scene: near and far clamp the rays; the background is behind all.
        rays: origins and directions (n, 3), in scene units. Directions have any length: ``t`` is depth, but
            light is absorbed over distance.
        jitter: as for ``Marcher.march``.

    """
    origins, length = rays.origins, rays.directions.norm(dim=1)
    directions = rays.directions / length[:, None]
    samples = marcher.march(origins, directions, scene.near * length, scene.far * length, jitter)
    ray, n = samples.ray, len(rays)

    # (m, 3), but axis by axis in memory: four times as quick to gather.
    begin, along = (vectors.t().contiguous().index_select(1, ray) for vectors in (origins, directions))
    points = torch.addcmul(begin, samples.distance, along).t()
    density, at = field.density(points)
    weights = volume_weights(density * marcher.step, samples.counts)
    shown = (weights.detach() > LEAST_WEIGHT).nonzero()[:, 0]
    colour = field.radiance(tuple(rows[shown] for rows in at), directions, ray[shown])

    opacity = accumulate(weights, ray, n)
    background = torch.tensor(scene.background, device=opacity.device)
    rgb = accumulate(weights[shown, None] * colour, ray[shown], n) + (1 - opacity)[:, None] * background
    depth = accumulate(weights.detach() * samples.distance, ray, n) / length
    return RayColours(rgb, opacity, depth, len(ray))
