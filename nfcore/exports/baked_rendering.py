"""The reference renderer of a baked field: what ``nfcore.interfaces.baked`` says, step by step, in torch."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore.geometry import Domain, Paths, corner_offsets, interpolate, locate, spherical_harmonics
from nfcore.interfaces import BakedField, Rendering
from nfcore.scene.cameras import Rays

# Rays that are marched at once: bounds memory.
_CHUNK = 1 << 16


class BakedRenderer:
    """Renders a baked field in torch, one sample of all rays at a time, without skipping empty space.

    Other renderers are verified against it.

    Args:
        field: the field to render.

    Example:
        >>> shown = BakedRenderer(field).render(cameras.rays().flat()).rgb  # doctest: +SKIP

    """

    def __init__(self, field: BakedField) -> None:
        self.field = field
        self.domain = Domain.of(field.scene)
        x, y, z = field.shape
        self.row = torch.zeros(x * y * z, dtype=torch.int32)
        self.row[field.vertices] = torch.arange(1, len(field.vertices) + 1, dtype=torch.int32)
        self.corners = corner_offsets(field.shape)
        self.occupied = torch.zeros(field.shape, dtype=torch.bool)
        self.occupied[:-1, :-1, :-1] = field.occupied
        self.low, self.spacing = torch.tensor(field.box[0]), torch.tensor(field.spacing)

    @torch.no_grad()
    def render(self, rays: Rays) -> Rendering:
        """Return colour, opacity and depth along ``rays`` (n, 3), on the CPU."""
        parts = [self._render(part) for part in rays.split(_CHUNK)]
        rgb, opacity, depth = (torch.cat(values) for values in zip(*parts, strict=True))
        return Rendering(rgb.clamp(0, 1), opacity.clamp(0, 1), depth)

    def _render(self, rays: Rays) -> tuple[Tensor, Tensor, Tensor]:
        field, paths = self.field, self.domain.paths(rays)
        sums, opacity, distance = self._march(paths)
        directions = rays.directions / rays.directions.norm(dim=1, keepdim=True)
        harmonics = spherical_harmonics(directions, field.harmonics_degree)[:, 1:]
        own = sums[:, :3] + opacity[:, None] * field.network(sums, harmonics)
        rgb = own + (1 - opacity)[:, None] * torch.tensor(field.scene.background)
        return rgb, opacity, paths.mean_depth(distance, opacity)

    def _march(self, paths: Paths) -> tuple[Tensor, Tensor, Tensor]:
        """Return the sums of weight times value (n, c), of weights (n,), and of weights times distance (n,)."""
        n, field = len(paths), self.field
        near, far = paths.clipped(*(torch.tensor(corner) for corner in field.bounds))
        in_cells = paths.in_units(self.low, self.spacing)
        sums, opacity, distances = torch.zeros(n, field.values), torch.zeros(n), torch.zeros(n)
        transmittance = torch.ones(n)
        alive, k = torch.arange(n), 0
        while True:
            distance = near[alive] + (k + 0.5) * field.step
            going = (distance < far[alive]) & (transmittance[alive] >= field.stop_transmittance)
            alive, distance = alive[going], distance[going]
            if not len(alive):
                return sums, opacity, distances
            points = torch.cat(list(in_cells.along(distance[:, None], alive)), 1)
            hit, row = self._look_up(points)
            ray, distance = alive[hit], distance[hit]
            absorbed = field.density(row[:, 0]) * field.step
            stretch = paths.stretch(distance[:, None], ray)
            taken = -torch.expm1(-(absorbed if stretch is None else absorbed * stretch[:, 0]))
            weight = transmittance[ray] * taken
            transmittance[ray] *= 1 - taken
            opacity[ray] += weight
            sums[ray] += weight[:, None] * row[:, 1:]
            distances[ray] += weight * distance
            k += 1

    def _look_up(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return which of the points (m, 3), in voxels, are in occupied ones, and the rows (h, 1 + c) there."""
        cells, weights = locate(points, self.field.shape)
        hit = self.occupied.view(-1)[cells].nonzero()[:, 0]
        rows = self.row[cells[hit, None] + self.corners]
        return hit, interpolate(self.field.table, rows, weights[hit])
