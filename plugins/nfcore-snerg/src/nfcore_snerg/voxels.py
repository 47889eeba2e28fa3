"""What is fitted of a voxel, and what is stored: raw density and values, opacity and premultiplied values.

A raw density r absorbs softplus(10 r - 4) * 62.5 / longest side, as in the other grids of this framework; a voxel
stores the opacity of a step of its own length, and its values times that. Both are interpolated, which blends the
colours of voxels by their opacity; an empty voxel adds nothing to its neighbours (SNeRG, section 4.2).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore_snerg.frame import LONGEST, VoxelGrid

GAIN, SHIFT = 10.0, -4.0
#: Density is this much per side of the box.
_SCALE = 62.5
#: Bounds of a raw density and of values.
LOWEST, HIGHEST = (-1.9, 0.0), (1.9, 1.0)
#: Steps between the 256 values of 8 bits.
LEVELS = 255


def depth_scale(grid: VoxelGrid) -> float:
    """Return the optical depth of a voxel whose softplus is 1."""
    return _SCALE * grid.voxel / LONGEST


def premultiplied(fitted: Tensor, grid: VoxelGrid) -> Tensor:
    """Return (m, 8) opacity and premultiplied values of what was fitted (m, 8); differentiable."""
    opacity = -torch.expm1(-F.softplus(GAIN * fitted[:, :1] + SHIFT) * depth_scale(grid))
    return torch.cat([opacity, opacity * fitted[:, 1:]], 1)


def raw_density(depth: Tensor, grid: VoxelGrid) -> Tensor:
    """Return the raw densities of voxels of an optical ``depth`` above 0, within bounds."""
    softplus = (depth / depth_scale(grid)).clamp(1e-9, 1e3)
    # The inverse of softplus, as itself where exp would overflow.
    argument = torch.where(softplus > 20, softplus, softplus.clamp(max=20).expm1().log())
    return ((argument - SHIFT) / GAIN).clamp(LOWEST[0], HIGHEST[0])


def fitted_of(table: Tensor, grid: VoxelGrid) -> Tensor:
    """Return what is to be fitted (rows, 8) of opacities and premultiplied values: the inverse of the above."""
    opacity = table[:, :1].clamp(1e-6, 1 - 1e-6)
    values = (table[:, 1:] / opacity).clamp(LOWEST[1], HIGHEST[1])
    return torch.cat([raw_density(-torch.log1p(-opacity), grid), values], 1).contiguous()


def rounded(table: Tensor) -> Tensor:
    """Return opacities and premultiplied values (m, 8) as 8 bits have them."""
    return (table.clamp(0, 1) * LEVELS).round() / LEVELS
