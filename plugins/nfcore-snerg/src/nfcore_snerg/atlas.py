"""The texture atlas: blocks of voxels that are not empty, each with a border of its neighbours' voxels.

The borders make trilinear filtering right within a block (SNeRG, section 4.2). Here the atlas holds numbers of
rows, 0 for an empty voxel: a voxel that is in several blocks is one row of the table that is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore_snerg.frame import VoxelGrid

#: Voxels of the border on each side of a block.
PADDING = 1


@dataclass(frozen=True)
class Atlas:
    """Which block is stored where, and which row each of its voxels is.

    Args:
        grid: the voxels.
        slots: (x, y, z) int32 of ``grid.blocks``: the number of each stored block, -1 for an empty one.
        rows: (slots, p, p, p) int32 with p = block + 2: the rows of each block's voxels, x slowest; 0 is empty.
        voxels: (rows - 1,) int64: linear indices of the stored voxels, x slowest, in the order of rows.

    """

    grid: VoxelGrid
    slots: Tensor
    rows: Tensor
    voxels: Tensor

    @classmethod
    def of(cls, grid: VoxelGrid, voxels: Tensor) -> Atlas:
        """Return the atlas of the stored ``voxels`` (m,) int64, in the order that ``block_order`` gives."""
        size = grid.block + 2 * PADDING
        x, y, z = (count * grid.block + 2 * PADDING for count in grid.blocks)
        volume = torch.zeros(x, y, z, dtype=torch.int32)
        places = torch.unravel_index(voxels, grid.shape)
        volume[tuple(place + PADDING for place in places)] = torch.arange(1, len(voxels) + 1, dtype=torch.int32)
        windows = volume.unfold(0, size, grid.block).unfold(1, size, grid.block).unfold(2, size, grid.block)
        # A block of empty voxels is stored too if its border is not empty: samples near it see the border.
        full = F.max_pool3d((volume > 0).float()[None, None], size, grid.block)[0, 0] > 0
        slots = torch.full(grid.blocks, -1, dtype=torch.int32)
        slots[full] = torch.arange(int(full.sum()), dtype=torch.int32)
        return cls(grid, slots, windows[full].contiguous(), voxels)


def block_order(grid: VoxelGrid, voxels: Tensor) -> Tensor:
    """Return (m,) int64: the order of ``voxels`` (m,), linear indices, that goes block by block.

    Rays through a block then find its rows near each other.
    """
    order, within = torch.zeros_like(voxels), torch.zeros_like(voxels)
    for place, count in zip(torch.unravel_index(voxels, grid.shape), grid.blocks, strict=True):
        order = order * count + place // grid.block
        within = within * grid.block + place % grid.block
    return (order * grid.block**3 + within).argsort()
