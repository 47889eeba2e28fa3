"""From a field that can be baked to voxels: its density and values where it may not be empty."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore import BakedField
from nfcore.geometry import corner_offsets, interpolate, locate
from nfcore_snerg.frame import Frame, VoxelGrid
from nfcore_snerg.network import VALUES
from nfcore_snerg.voxels import premultiplied, raw_density

#: Voxels that are processed at once.
_CHUNK = 1 << 20


@torch.no_grad()
def bake(field: BakedField, frame: Frame, grid: VoxelGrid, least_opacity: float) -> tuple[Tensor, Tensor]:
    """Return the voxels that are not empty, and what is stored in them.

    Args:
        field: a field in a box.
        frame: the viewer's world.
        grid: the voxels.
        least_opacity: voxels that absorb less are empty, unless their neighbour does not (SNeRG, section 4.3).

    Returns:
        (m,) int64 linear indices into ``grid.shape``, and (m, 8) opacity and premultiplied values.

    """
    rows = torch.zeros(field.shape, dtype=torch.int32).view(-1)
    rows[field.vertices] = torch.arange(1, len(field.vertices) + 1, dtype=torch.int32)
    low, spacing = torch.tensor(field.box[0]), torch.tensor(field.spacing)
    cells = torch.tensor(field.occupied.shape)
    offsets = corner_offsets(field.shape)
    found, stored = [], []
    for voxels in torch.arange(grid.shape[0] * grid.shape[1] * grid.shape[2]).split(_CHUNK):
        places = torch.stack(torch.unravel_index(voxels, grid.shape), 1)
        at = (frame.points(grid.centres(places)) - low) / spacing
        x, y, z = at.floor().long().clamp_min(0).minimum(cells - 1).unbind(1)
        inside = (field.occupied[x, y, z] & (at >= 0).all(1) & (at <= cells).all(1)).nonzero()[:, 0]
        vertices, weights = locate(at[inside], field.shape)
        row = interpolate(field.table, rows[vertices[:, None] + offsets], weights)
        depth = field.density(row[:, 0]) * (grid.voxel / frame.scale)
        values = torch.nn.functional.pad(row[:, 1 : 1 + VALUES], (0, max(0, VALUES + 1 - row.shape[1])), value=0.5)
        found.append(voxels[inside])
        stored.append(torch.cat([raw_density(depth, grid)[:, None], values.clamp(0, 1)], 1))
    index, table = torch.cat(found), torch.cat(stored)
    near_something = _near(index, table[:, 0] > raw_density(_depth(least_opacity), grid), grid)
    return index[near_something], premultiplied(table[near_something], grid)


def _depth(opacity: float) -> Tensor:
    return -torch.log1p(torch.tensor(-opacity))


def _near(index: Tensor, full: Tensor, grid: VoxelGrid) -> Tensor:
    """Return (m,) bool: which of the voxels ``index`` are ``full`` (m,), or next to one that is."""
    volume = torch.zeros(grid.shape, dtype=torch.uint8)
    volume.view(-1)[index[full]] = 1
    for axis in range(3):
        count, spread = volume.shape[axis], volume.clone()
        spread.narrow(axis, 1, count - 1).bitwise_or_(volume.narrow(axis, 0, count - 1))
        spread.narrow(axis, 0, count - 1).bitwise_or_(volume.narrow(axis, 1, count - 1))
        volume = spread
    return volume.view(-1)[index] > 0
