"""The visual hull: the cells that every photo's silhouette leaves standing (Laurentini 1994)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import Cameras, UserError
from nfcore_teachers.interpolation import Shape
from nfcore_teachers.occupancy import OccupancyGrid

#: Less alpha than this is noise of the photos' downscaling.
SILHOUETTE_ALPHA = 0.01
#: Cells are carved first in blocks of this many along each side: most of a box is empty, and goes at once.
BLOCK = 4


def carve(grid: OccupancyGrid, cameras: Cameras, alpha: Tensor) -> Tensor:
    """Return (x, y, z) bool: the cells of ``grid`` that no photo shows to be empty.

    A cell goes where its circumscribed sphere projects to transparent pixels only, or where no photo sees it.
    It stays where a photo's border cuts it, as there is no telling.

    Args:
        grid: the cells.
        cameras: n cameras.
        alpha: (n, height, width) in [0, 1].

    Raises:
        UserError: nothing is left.

    """
    blocks: Shape = tuple(-(-side // BLOCK) for side in grid.shape)  # type: ignore[assignment]
    everywhere = torch.ones(blocks, dtype=torch.bool, device=alpha.device)
    standing = _carve_cells(everywhere, grid.low, grid.cell * BLOCK, cameras, alpha)
    for axis, side in enumerate(grid.shape):
        standing = standing.repeat_interleave(BLOCK, axis).narrow(axis, 0, side)
    hull = _carve_cells(standing, grid.low, grid.cell, cameras, alpha)
    if not hull.any():
        raise UserError(
            "the photos' silhouettes have no point of the scene's box in common; "
            "check the box, the poses, and that alpha is 1 on the object"
        )
    return hull


def _carve_cells(cells: Tensor, low: Tensor, size: Tensor, cameras: Cameras, alpha: Tensor) -> Tensor:
    """Return those of ``cells`` (x, y, z) that stand; they begin at ``low`` and have the given size (3,)."""
    places = cells.nonzero()
    centres, radius = low + (places + 0.5) * size, size.norm() / 2
    standing = torch.ones(len(places), dtype=torch.bool, device=cells.device)
    seen = torch.zeros_like(standing)
    for pose, intrinsics, photo in zip(cameras.poses, cameras.intrinsics, alpha, strict=True):
        index = standing.nonzero()[:, 0]
        transparent, visible = _look(centres[index], radius, pose, intrinsics, photo)
        standing[index] = ~transparent
        seen[index] |= visible
    places = places[standing & seen]
    hull = torch.zeros_like(cells)
    hull[places.unbind(1)] = True
    return hull


def _look(
    centres: Tensor, radius: Tensor, pose: Tensor, intrinsics: Tensor, alpha: Tensor
) -> tuple[Tensor, Tensor]:
    """Return two (m,) bool for spheres: whether one photo shows nothing at each, and whether it sees its centre."""
    height, width = alpha.shape
    fx, fy, cx, cy = intrinsics
    x, y, z = ((centres - pose[:, 3]) @ pose[:, :3]).unbind(1)
    in_front = -z > 2 * radius
    depth = torch.where(in_front, -z, 2 * radius)
    u, v = cx + fx * x / depth, cy - fy * y / depth
    reach_u, reach_v = fx * radius / (depth - radius), fy * radius / (depth - radius)
    left, right = (u - reach_u).floor(), (u + reach_u).ceil()
    top, bottom = (v - reach_v).floor(), (v + reach_v).ceil()
    whole = in_front & (left >= 0) & (right <= width) & (top >= 0) & (bottom <= height)
    visible = in_front & (u >= 0) & (u < width) & (v >= 0) & (v < height)

    # A summed-area table counts the opaque pixels of any window by its four corners.
    opaque = F.pad((alpha > SILHOUETTE_ALPHA).int().cumsum(0).cumsum(1), (1, 0, 1, 0))
    left, right = (side.clamp(0, width).long() for side in (left, right))
    top, bottom = (side.clamp(0, height).long() for side in (top, bottom))
    count = opaque[bottom, right] - opaque[top, right] - opaque[bottom, left] + opaque[top, left]
    return whole & (count == 0), visible


def silhouette_pixels(grid: OccupancyGrid, cameras: Cameras, alpha: Tensor) -> Tensor:
    """Return (m,) int64: the pixels whose rays may meet the hull, as linear indices into (n, height, width).

    The hull stands out of the silhouettes by up to a cell's diagonal; the other rays meet nothing.
    """
    centre = grid.low + grid.size / 2
    distance = (cameras.poses[:, :, 3] - centre).norm(dim=1)
    diagonal = (cameras.intrinsics[:, :2].amax(1) * grid.cell.norm() / distance).max()
    margin = math.ceil(diagonal.item())
    near_silhouettes = []
    for view, photo in enumerate(alpha):
        spread = (photo > SILHOUETTE_ALPHA / 2).float()[None]
        for window in ((2 * margin + 1, 1), (1, 2 * margin + 1)):
            spread = F.max_pool2d(spread, window, 1, (window[0] // 2, window[1] // 2))
        near_silhouettes.append(spread.flatten().nonzero()[:, 0] + view * photo.numel())
    return torch.cat(near_silhouettes)
