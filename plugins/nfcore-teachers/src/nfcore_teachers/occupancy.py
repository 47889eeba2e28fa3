"""The occupancy grid: which parts of a field's domain hold anything, so that rays skip the rest.

After Instant-NGP (Mueller et al. 2022, appendix C): a decaying maximum of the opacity seen in each cell, and a
bit where it is over a threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from nfcore import Cameras, Scene
from nfcore.geometry import domain_box, domain_proportions, visual_hull

Shape = tuple[int, int, int]

#: What a cell's maximum keeps from one update to the next: an emptied cell is pruned some 20 updates later.
DECAY = 0.9
#: Points whose density is asked for at once.
CHUNK = 65536


class OccupancyGrid(nn.Module):
    """A grid of cells over the scene's domain, as near to cubes as whole numbers allow; all occupied at first.

    Args:
        scene: gives the domain.
        resolution: number of cells along the domain's longest side.

    Attributes:
        occupied: (x, y, z) bool, saved. Change it by ``occupy`` only.
        candidates: (x, y, z) bool, the cells that may ever be occupied: all of them, or a visual hull.
        opacity: (x, y, z) float32, the decaying maximum of ``update``.

    """

    occupied: Tensor
    candidates: Tensor
    opacity: Tensor
    low: Tensor
    size: Tensor

    def __init__(self, scene: Scene, resolution: int) -> None:
        super().__init__()
        low, high = (torch.tensor(corner) for corner in domain_box(scene))
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("size", high - low, persistent=False)
        shape = proportional_shape(scene, resolution)
        self.register_buffer("occupied", torch.ones(shape, dtype=torch.bool))
        self.register_buffer("candidates", torch.ones(shape, dtype=torch.bool), persistent=False)
        self.register_buffer("opacity", torch.zeros(shape), persistent=False)

    @property
    def shape(self) -> Shape:
        """Number of cells along x, y and z."""
        x, y, z = self.occupied.shape
        return x, y, z

    @property
    def cell(self) -> Tensor:
        """Size of a cell (3,), in the domain's units."""
        return self.size / torch.tensor(self.shape, device=self.size.device)

    def carve(self, cameras: Cameras, alpha: Iterable[Tensor]) -> None:
        """Allow the photos' visual hull only: n cameras and the alpha (height, width) in [0, 1] of each.

        Raises:
            UserError: the silhouettes have nothing in common.

        """
        self.restrict(visual_hull(self.low, self.cell, self.shape, cameras, alpha))

    def restrict(self, candidates: Tensor) -> None:
        """Let only ``candidates`` (x, y, z) ever be occupied, and occupy all of them."""
        if candidates.ndim != 3 or not candidates.numel():
            raise ValueError(f"occupied has the shape {tuple(candidates.shape)}, not that of a grid")
        self.candidates = candidates
        self.opacity = torch.zeros_like(candidates, dtype=torch.float32)
        self.occupied = candidates.clone()

    def forget(self, cells: Tensor) -> None:
        """Let ``cells`` (x, y, z) bool never be occupied again."""
        self.candidates = self.candidates & ~cells
        self.occupied = self.occupied & ~cells

    def bounds(self) -> tuple[Tensor, Tensor]:
        """Return the lower and the upper corner (3,) of what is occupied; equal where nothing is."""
        spans = [self.occupied.flatten(1).any(1), self.occupied.transpose(0, 1).flatten(1).any(1)]
        spans.append(self.occupied.flatten(0, 1).any(0))
        ends = [span.nonzero()[[0, -1], 0] if span.any() else span.new_zeros(2).long() for span in spans]
        first, last = torch.stack(ends, 1)
        empty = ~self.occupied.any()
        return self.low + first * self.cell, self.low + torch.where(empty, first, last + 1) * self.cell

    def holds(self, points: Tensor) -> Tensor:
        """Return (n,) bool: which ``points`` (n, 3) of the domain lie in occupied cells."""
        return self.occupied.flatten()[self.indices(points)]

    def indices(self, points: Tensor) -> Tensor:
        """Return (n,) int64: the linear indices of the cells that ``points`` (n, 3) of the domain lie in."""
        last = torch.tensor(self.shape, device=points.device) - 1
        x, y, z = ((points - self.low) / self.cell).long().clamp_min(0).minimum(last).unbind(1)
        return (x * self.shape[1] + y) * self.shape[2] + z

    @torch.no_grad()
    def update(
        self,
        density: Callable[[Tensor], Tensor],
        step: float,
        threshold: float,
        fraction: float,
        generator: torch.Generator,
    ) -> None:
        """Ask for the density at a random point of some cells, and occupy those that are over the threshold.

        Pruned cells are asked again like all others: a field that was thin there when it was young would keep
        pinholes otherwise (1 dB on lego).

        Args:
            density: (m, 3) points of the domain to (m,) densities.
            step: length over which the opacity of a density is meant, in the domain's units.
            threshold: opacity of an occupied cell; lowered to the mean of the occupied cells where that is
                less, so that a field that is thin everywhere is not pruned away.
            fraction: share of the candidates that are asked, chosen at random.
            generator: where the random numbers come from.

        """
        cells = self.candidates.flatten().nonzero()[:, 0]
        if fraction < 1:
            cells = cells[(torch.rand(len(cells), generator=generator) < fraction).to(cells.device)]
        places = torch.stack(torch.unravel_index(cells, self.shape), 1)
        inside = torch.rand(len(cells), 3, generator=generator).to(cells.device)
        points = self.low + (places + inside) * self.cell
        densities = torch.cat([density(chunk) for chunk in torch.split(points, CHUNK)])
        opacity = self.opacity.flatten()
        opacity[cells] = torch.maximum(opacity[cells] * DECAY, -torch.expm1(-densities * step))
        if self.occupied.any():
            threshold = min(threshold, self.opacity[self.occupied].mean().item())
        self.occupied = (self.opacity > threshold) & self.candidates


def proportional_shape(scene: Scene, resolution: int) -> Shape:
    """Return how many cells lie along each side of the scene's domain, ``resolution`` along the longest.

    They are near-cubes, but see ``domain_proportions`` for NDC.
    """
    sides = domain_proportions(scene)
    x, y, z = (max(1, round(resolution * side / max(sides))) for side in sides)
    return x, y, z


def dilated(cells: Tensor, radius: int) -> Tensor:
    """Return (x, y, z) bool: the cells that are within ``radius`` of a set one along each axis."""
    for axis in range(3):
        for _ in range(radius):
            spread, length = cells.clone(), cells.shape[axis] - 1
            spread.narrow(axis, 0, length).logical_or_(cells.narrow(axis, 1, length))
            spread.narrow(axis, 1, length).logical_or_(cells.narrow(axis, 0, length))
            cells = spread
    return cells
