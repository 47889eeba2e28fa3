"""Silhouettes: the pixels of photos with alpha that are worth training on."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import Cameras
from nfcore.geometry import SILHOUETTE_ALPHA
from nfcore_teachers.occupancy import OccupancyGrid


def silhouette_pixels(
    grid: OccupancyGrid, cameras: Cameras, alpha: Iterable[Tensor], size: tuple[int, int]
) -> Tensor:
    """Return (m,) int64: the pixels whose rays may meet the hull, as linear indices into (n, height, width).

    The hull stands out of the silhouettes by up to a cell's diagonal; the other rays meet nothing. ``cameras`` and
    ``alpha`` may be those of smaller photos, see ``shrunk_silhouettes``; ``size`` is the photos' own.
    """
    factor = -(-max(size) // max(cameras.height, cameras.width))
    centre = grid.low + grid.size / 2
    distance = (cameras.poses[:, :, 3] - centre).norm(dim=1)
    diagonal = (cameras.intrinsics[:, :2].amax(1) * grid.cell.norm() / distance).max()
    margin = math.ceil(diagonal.item())
    near_silhouettes = []
    for view, photo in enumerate(alpha):
        spread = (photo > SILHOUETTE_ALPHA / 2).float()[None]
        for window in ((2 * margin + 1, 1), (1, 2 * margin + 1)):
            spread = F.max_pool2d(spread, window, 1, (window[0] // 2, window[1] // 2))
        full = spread[0].repeat_interleave(factor, 0).repeat_interleave(factor, 1)[: size[0], : size[1]]
        near_silhouettes.append(full.flatten().nonzero()[:, 0] + view * full.numel())
    return torch.cat(near_silhouettes)
