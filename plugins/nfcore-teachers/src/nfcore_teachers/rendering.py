"""Rendering a radiance field along rays: march, ask for density, weigh, ask for colour where it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from nfcore import Rays, Rendering, UserError
from nfcore.geometry import Domain, Paths
from nfcore_teachers.marching import Marcher, Samples
from nfcore_teachers.volume import accumulate, volume_weights

#: Samples that add less than this to their ray are not asked for colour: about half of all, for under 0.1 dB.
LEAST_WEIGHT = 1e-3


class RadianceField(Protocol):
    """What a field must answer to be rendered. Gradients flow to its parameters."""

    def density(self, points: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return density (m,) per unit of its domain, 0 or more, at points (m, 3) in its domain.

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
        depth: (n,) in the rays' ``t``, the weighted mean of its samples; 0 without any. No gradient.
        samples: how many samples it took.

    """

    rgb: Tensor
    opacity: Tensor
    depth: Tensor
    samples: int


#: Gives what ``rays`` see of a field: field, marcher, domain, rays, jitter.
Renderer = Callable[[Any, Marcher, Domain, Rays, Tensor | None], RayColours]


def render_rays(
    field: RadianceField, marcher: Marcher, domain: Domain, rays: Rays, jitter: Tensor | None = None
) -> RayColours:
    """Return what ``rays`` (n, 3) see of ``field``.

    Args:
        field: gives density and colour.
        marcher: places the samples.
        domain: where the field lives; its scene's background is behind all.
        rays: origins and directions (n, 3), in scene units. Directions have any length: ``t`` is depth, but
            light is absorbed over distance.
        jitter: as for ``Marcher.march``.

    """
    paths, n = domain.paths(rays), len(rays)
    samples, points = sample(marcher, paths, jitter)
    ray = samples.ray
    density, at = field.density(points)
    weights = weigh(density, marcher, paths, samples)
    shown = (weights.detach() > LEAST_WEIGHT).nonzero()[:, 0]
    directions = rays.directions / rays.directions.norm(dim=1, keepdim=True)
    colour = field.radiance(tuple(rows[shown] for rows in at), directions, ray[shown])

    opacity = accumulate(weights, ray, n)
    background = torch.tensor(domain.scene.background, device=opacity.device)
    rgb = accumulate(weights[shown, None] * colour, ray[shown], n) + (1 - opacity)[:, None] * background
    distance = accumulate(weights.detach() * samples.distance, ray, n)
    return RayColours(rgb, opacity, paths.mean_depth(distance, opacity.detach()), len(ray))


def sample(marcher: Marcher, paths: Paths, jitter: Tensor | None = None) -> tuple[Samples, Tensor]:
    """Return the samples along ``paths`` and where they are, (m, 3) in the domain."""
    samples = marcher.march(paths, jitter)
    # (m, 3), but axis by axis in memory: four times as quick to gather.
    return samples, torch.stack([axis[:, 0] for axis in paths.along(samples.distance[:, None], samples.ray)]).t()


def weigh(density: Tensor, marcher: Marcher, paths: Paths, samples: Samples) -> Tensor:
    """Return (m,) how much each of ``samples`` adds to its ray, for densities (m,); gradients flow to these."""
    stretch = paths.stretch(samples.distance[:, None], samples.ray)
    absorbed = density * marcher.step
    return volume_weights(absorbed if stretch is None else absorbed * stretch[:, 0], samples.counts)


def rendering(parts: Iterable[RayColours]) -> Rendering:
    """Return what consecutive bundles of rays see, as one and within bounds."""
    seen = list(parts)
    # Of single bundles torch does this on one thread: others would have to be waited for.
    rgb, opacity = (torch.cat([getattr(part, what).clamp(0, 1) for part in seen]) for what in ("rgb", "opacity"))
    return Rendering(rgb, opacity, torch.cat([part.depth for part in seen]))


def require_flat(rays: Rays) -> None:
    """Refuse rays that are not (n, 3).

    Raises:
        UserError: they have another shape.

    """
    if rays.origins.shape != rays.directions.shape or rays.origins.shape[1:] != (3,):
        shapes = f"{tuple(rays.origins.shape)} and {tuple(rays.directions.shape)}"
        raise UserError(f"rays to render must be (n, 3) and (n, 3), not {shapes}; Rays.flat() makes them so")
