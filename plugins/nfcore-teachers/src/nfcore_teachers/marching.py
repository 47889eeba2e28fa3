"""Ray marching: samples at equal distances along each ray, where the occupancy grid has something."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore_teachers.occupancy import OccupancyGrid, dilated

#: Steps that are skipped at once where nothing is near.
STRIDE = 4


@dataclass(frozen=True)
class Samples:
    """m samples along n rays, packed: ray by ray, each from front to back.

    Args:
        ray: (m,) int64, which ray each belongs to.
        distance: (m,) float32, from the ray's origin, scene units.
        counts: (n,) int64, how many each ray has.

    """

    ray: Tensor
    distance: Tensor
    counts: Tensor


class Marcher:
    """Marches through what an occupancy grid holds at the time of construction: make a new one when it changes.

    Args:
        grid: the occupied cells.
        step: distance between samples, scene units.

    """

    def __init__(self, grid: OccupancyGrid, step: float) -> None:
        self.step = step
        self.low, self.scale = grid.low, 1 / grid.cell
        self.bounds = grid.bounds()
        self.shape = grid.shape
        self.occupied = grid.occupied.flatten()
        # Samples lie up to (STRIDE - 1) / 2 steps from the middle of their stride, and so do their cells.
        reach = (STRIDE - 1) / 2 * step
        self.nearby = dilated(grid.occupied, math.ceil(reach / grid.cell.min().item())).flatten()

    @torch.no_grad()
    def march(
        self, origins: Tensor, directions: Tensor, near: Tensor, far: Tensor, jitter: Tensor | None = None
    ) -> Samples:
        """Return all samples in occupied cells.

        Args:
            origins: (n, 3), scene units.
            directions: (n, 3) unit vectors.
            near: (n,) distance where each ray begins, scene units.
            far: (n,) distance where each ray ends.
            jitter: (n,) in [0, 1), the first sample's place in its step (stratified sampling, NeRF eq. 2, with
                one random number a ray); None puts samples in the middle of their steps.

        """
        near, far = self._clip(origins, directions, near, far)
        start = near + self.step * (0.5 if jitter is None else jitter)
        steps = int(((far - start).amax() / self.step).ceil().clamp_min(0)) if len(start) else 0
        # Rays in units of cells, axis by axis: whole rows of memory are quicker to work on than triples.
        origins, directions = ((origins - self.low) * self.scale).t(), (directions * self.scale).t()

        strides = torch.arange(0, steps, STRIDE, device=start.device)
        middle = start[:, None] + (strides + (STRIDE - 1) / 2) * self.step
        promising = self._look_up(self.nearby, origins, directions, middle)
        promising &= start[:, None] + strides * self.step < far[:, None]
        ray, stride = promising.nonzero(as_tuple=True)

        within = torch.arange(STRIDE, device=start.device)
        distance = start[ray, None] + (stride[:, None] * STRIDE + within) * self.step
        hit = self._look_up(self.occupied, origins[:, ray], directions[:, ray], distance)
        hit &= distance < far[ray, None]
        hits = hit.flatten().nonzero()[:, 0]
        ray = ray[hits // STRIDE]
        return Samples(ray, distance.flatten()[hits], torch.bincount(ray, minlength=len(near)))

    def _clip(self, origins: Tensor, directions: Tensor, near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
        """Return where rays enter and leave the bounds of what is occupied (slab method), within near and far."""
        tiny = torch.full_like(directions, 1e-9)
        inverse = 1 / torch.where(directions.abs() < tiny, tiny, directions)
        low, high = ((corner - origins) * inverse for corner in self.bounds)
        enter, leave = torch.minimum(low, high).amax(1), torch.maximum(low, high).amin(1)
        return torch.maximum(enter, near), torch.minimum(leave, far)

    def _look_up(self, cells: Tensor, origins: Tensor, directions: Tensor, distance: Tensor) -> Tensor:
        """Return (n, k) bool: ``cells`` at ``distance`` (n, k) along rays (3, n) in units of cells."""
        index = torch.zeros((), dtype=torch.int32, device=distance.device)
        for origin, direction, side in zip(origins, directions, self.shape, strict=True):
            place = torch.addcmul(origin[:, None], distance, direction[:, None])
            index = index * side + place.int().clamp_(0, side - 1)
        return cells.index_select(0, index.flatten()).view(distance.shape)
