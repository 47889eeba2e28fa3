"""Macro cells of 4 x 4 x 4 voxels: which may hold something, how far the others are from those; and voxels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

#: Voxels along each side of a macro cell.
CELL = 4
#: Distances are counted up to this many cells.
FARTHEST = 15


def occupied_cells(voxels: Tensor) -> Tensor:
    """Return (X, Y, Z) bool: the macro cells in which any of ``voxels`` (x, y, z) bool is set."""
    return any_of(voxels, CELL)


def any_of(cells: Tensor, side: int) -> Tensor:
    """Return bool: in which cubes of ``side`` along each axis any of ``cells`` (x, y, z) bool is set."""
    padding = [room for n in reversed(cells.shape) for room in (0, -n % side)]
    return F.max_pool3d(F.pad(cells.float(), padding)[None, None], side)[0, 0] > 0


def voxels_of(cells: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return (x - 1, y - 1, z - 1) bool: voxels, of ``shape`` vertices, in one of ``cells`` (X, Y, Z) bool."""
    found = cells
    for axis, size in enumerate(shape):
        found = found.index_select(axis, torch.arange(size - 1) // CELL)
    return found


def corners_of_voxels(voxels: Tensor) -> Tensor:
    """Return (x, y, z) bool: which vertices are corners of one of ``voxels`` (x - 1, y - 1, z - 1) bool."""
    return F.max_pool3d(F.pad(voxels.float(), [1] * 6)[None, None], 2, stride=1)[0, 0] > 0


def distances(cells: Tensor) -> Tensor:
    """Return (X, Y, Z) uint8: Chebyshev distance of each cell to the nearest set one, 0 in these, at most 15.

    All cells nearer than that to a cell are empty, so a ray may leave the cube that they form at once.
    """
    found = torch.full(cells.shape, FARTHEST, dtype=torch.uint8)
    reached = cells
    found[reached] = 0
    for distance in range(1, FARTHEST):
        grown = F.max_pool3d(reached.float()[None, None], 3, stride=1, padding=1)[0, 0] > 0
        found[grown & ~reached] = distance
        reached = grown
    return found
