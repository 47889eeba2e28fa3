"""Ray marching: samples at equal distances along each ray, where the occupancy grid has something."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from nfcore.geometry import Domain, Paths
from nfcore_teachers.occupancy import OccupancyGrid, dilated

#: Most steps along the domain's longest side.
_MOST_STEPS = 1 << 16
#: Steps that are skipped at once where nothing is near.
STRIDE = 4


@dataclass(frozen=True)
class Samples:
    """m samples along n rays, packed: ray by ray, each from front to back.

    Args:
        ray: (m,) int64, which ray each belongs to.
        distance: (m,) float32, along the ray's path, in the domain's units.
        counts: (n,) int64, how many each ray has.

    """

    ray: Tensor
    distance: Tensor
    counts: Tensor


class Marcher:
    """Marches through what an occupancy grid holds at the time of construction: make a new one when it changes.

    Args:
        grid: the occupied cells.
        step: distance between samples, in the domain's units.
        bounds: lower and upper corner (3,) of where rays are marched; None: of what is occupied now.

    """

    def __init__(self, grid: OccupancyGrid, step: float, bounds: tuple[Tensor, Tensor] | None = None) -> None:
        self.step = step
        self.low, self.cell = grid.low, grid.cell
        self.bounds = bounds or grid.bounds()
        self.shape = grid.shape
        self.occupied = grid.occupied.flatten()
        # Samples lie up to (STRIDE - 1) / 2 steps from the middle of their stride, and so do their cells.
        reach = (STRIDE - 1) / 2 * step
        cells = math.ceil(min(reach / grid.cell.min().item(), max(grid.shape)))
        self.nearby = dilated(grid.occupied, cells).flatten()

    @torch.no_grad()
    def march(self, paths: Paths, jitter: Tensor | None = None) -> Samples:
        """Return all samples in occupied cells along n paths.

        Args:
            paths: n paths through the grid's domain.
            jitter: (n,) in [0, 1), the first sample's place in its step (stratified sampling, NeRF eq. 2, with
                one random number a ray); None puts samples in the middle of their steps.

        """
        near, far = paths.clipped(*self.bounds)
        start = near + self.step * (0.5 if jitter is None else jitter)
        steps = int(((far - start).amax() / self.step).ceil().clamp_min(0)) if len(start) else 0
        in_cells = paths.in_units(self.low, self.cell)

        strides = torch.arange(0, steps, STRIDE, device=start.device)
        middle = start[:, None] + (strides + (STRIDE - 1) / 2) * self.step
        promising = self._look_up(self.nearby, in_cells.along(middle), middle)
        promising &= start[:, None] + strides * self.step < far[:, None]
        ray, stride = promising.nonzero(as_tuple=True)

        within = torch.arange(STRIDE, device=start.device)
        distance = start[ray, None] + (stride[:, None] * STRIDE + within) * self.step
        hit = self._look_up(self.occupied, in_cells.along(distance, ray), distance)
        hit &= distance < far[ray, None]
        hits = hit.flatten().nonzero()[:, 0]
        ray = ray[hits // STRIDE]
        return Samples(ray, distance.flatten()[hits], torch.bincount(ray, minlength=len(near)))

    def _look_up(self, cells: Tensor, places: Iterable[Tensor], distance: Tensor) -> Tensor:
        """Return ``cells`` (bool) at ``places``: x, y, z in units of cells, of the shape of ``distance``."""
        index = torch.zeros((), dtype=torch.int32, device=distance.device)
        for place, side in zip(places, self.shape, strict=True):
            index = index * side + place.int().clamp_(0, side - 1)
        return cells.index_select(0, index.flatten()).view(distance.shape)


class WithMarchStep(nn.Module):
    """A module with the length of its steps, which stays in main memory wherever the module is moved.

    It is in double precision, which the GPU of a Mac does not have.
    """

    march_step: Tensor

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.register_buffer("march_step", torch.tensor(1.0, dtype=torch.float64))

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        step = self._buffers["march_step"]
        self._buffers["march_step"] = None  # what is None is not moved
        try:
            super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
            return self
        finally:
            self._buffers["march_step"] = step


def check_march_step(step: Tensor, domain: Domain) -> None:
    """Raise a ValueError if a saved ``step`` would make marching through ``domain`` endless."""
    if not domain.longest / _MOST_STEPS <= step.item() < math.inf:
        raise ValueError(f"march_step is {step.item():.3g}, and the scene's longest side {domain.longest:.3g}")
