"""The visual hull: the part of a box that is inside every photo's silhouette (Laurentini 1994)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.errors import UserError
from nfcore.scene.bounds import Vector
from nfcore.scene.cameras import Cameras

#: Pixels with less alpha count as transparent: it is noise of downscaling.
SILHOUETTE_ALPHA = 0.01
# Carved first in blocks of this many cells along each side: most of a box is empty and is removed quickly.
_BLOCK = 4
#: At least this share of the photos must show the object whole for what is outside of them to be empty.
_FRAMED = 0.8
# Silhouettes of about this many pixels along the longer side are enough to find a box.
_BOX_PIXELS = 100


def visual_hull(
    low: Tensor, cell: Tensor, shape: tuple[int, int, int], cameras: Cameras, alpha: Iterable[Tensor]
) -> Tensor:
    """Return the cells of a grid that no photo shows to be empty, (x, y, z) bool.

    A cell is removed if its circumscribed sphere projects to transparent pixels only, or if no photo sees it
    whole: a photo whose border cuts it says nothing. If nearly all photos show the object whole (no silhouette
    touches the border), what such a photo does not see is empty too.

    Args:
        low: (3,) the grid's lower corner, scene units.
        cell: (3,) the size of a cell, scene units.
        shape: number of cells along x, y and z.
        cameras: n cameras.
        alpha: (height, width) in [0, 1] of each photo; iterated over repeatedly.

    Raises:
        UserError: no cell is left.

    """
    blocks = tuple(-(-side // _BLOCK) for side in shape)
    everywhere = torch.ones(blocks, dtype=torch.bool, device=cameras.poses.device)
    kept = _carve(everywhere, low, cell * _BLOCK, cameras, alpha, whole=False)
    for axis, side in enumerate(shape):
        kept = kept.repeat_interleave(_BLOCK, axis).narrow(axis, 0, side)
    hull = _carve(kept, low, cell, cameras, alpha, whole=True)
    if not hull.any():
        raise UserError(
            "the photos' silhouettes have no point of the scene's box in common; "
            "check the box, the poses, and that alpha is 1 on the object"
        )
    return hull


def hull_box(
    cameras: Cameras, alpha: Iterable[Tensor], around: tuple[Vector, Vector], cells: int = 64
) -> tuple[Vector, Vector]:
    """Return a tight box around what the photos show: that of the visual hull inside the box ``around``.

    Args:
        cameras: n cameras.
        alpha: (height, width) in [0, 1] of each photo.
        around: lower and upper corner of a box that contains everything, scene units.
        cells: resolution of the hull, cells along the box's longest side.

    Raises:
        UserError: the silhouettes have nothing in common.

    >>> views = source.views("train")  # doctest: +SKIP
    >>> lower, upper = hull_box(views.cameras, views.silhouettes, around=source.scene.box)  # doctest: +SKIP

    """
    low, high = torch.tensor(around)
    size = (high - low).max() / cells
    x, y, z = ((high - low) / size).round().clamp_min(1).int().tolist()
    cell = (high - low) / torch.tensor([x, y, z])
    hull = visual_hull(low, cell, (x, y, z), *shrunk_silhouettes(cameras, alpha, _BOX_PIXELS)).nonzero()
    return _vector(low + hull.amin(0) * cell), _vector(low + (hull.amax(0) + 1) * cell)


def shrunk_silhouettes(cameras: Cameras, alpha: Iterable[Tensor], pixels: int) -> tuple[Cameras, Tensor]:
    """Return smaller photos' cameras and alpha, in which a pixel is as opaque as the most opaque of its own.

    Each is a square of so many pixels along each side that the longer side has ``pixels`` or just over.
    """
    factor = max(1, max(cameras.height, cameras.width) // pixels)
    small = torch.cat([F.max_pool2d(photo[None], factor, ceil_mode=True) for photo in alpha])
    return Cameras(cameras.poses, cameras.intrinsics / factor, *small.shape[1:]), small


def _vector(values: Tensor) -> Vector:
    x, y, z = (round(value, 6) for value in values.tolist())
    return x, y, z


def _carve(
    cells: Tensor, low: Tensor, size: Tensor, cameras: Cameras, alpha: Iterable[Tensor], *, whole: bool
) -> Tensor:
    """Return which ``cells`` (x, y, z) bool are kept, of a grid from corner ``low`` and cells of ``size`` (3,).

    With ``whole``, a cell is kept only if some photo sees all of it, not just its centre.
    """
    places = cells.nonzero()
    centres, radius = (low + (places + 0.5) * size).T.contiguous(), size.norm() / 2
    framed = _framed(alpha)
    seen = torch.zeros(len(places), dtype=torch.bool, device=cells.device)
    for pose, intrinsics, photo, all_of_it in zip(cameras.poses, cameras.intrinsics, alpha, framed, strict=True):
        empty, inside, centred = _look(centres, radius, pose, intrinsics, photo)
        seen |= inside if whole else centred
        left = ~(empty if all_of_it else empty & inside)
        places, centres, seen = places[left], centres[:, left], seen[left]
    hull = torch.zeros_like(cells)
    hull[places[seen].unbind(1)] = True
    return hull


def _look(
    centres: Tensor, radius: Tensor, pose: Tensor, intrinsics: Tensor, alpha: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return whether a photo shows nothing at each sphere, sees all of it, and sees its centre, (m,) bool each.

    The spheres' ``centres`` are (3, m): each coordinate is one piece of memory.
    """
    height, width = alpha.shape
    fx, fy, cx, cy = intrinsics
    x, y, z = pose[:, :3].T @ (centres - pose[:, 3:])
    in_front = -z > 2 * radius
    depth = torch.where(in_front, -z, 2 * radius)
    u, v = cx + fx * x / depth, cy - fy * y / depth
    reach_u, reach_v = fx * radius / (depth - radius), fy * radius / (depth - radius)
    left, right = (u - reach_u).floor(), (u + reach_u).ceil()
    top, bottom = (v - reach_v).floor(), (v + reach_v).ceil()
    inside = in_front & (left >= 0) & (right <= width) & (top >= 0) & (bottom <= height)
    visible = in_front & (u >= 0) & (u < width) & (v >= 0) & (v < height)

    # A summed-area table counts the opaque pixels of any window by its four corners.
    opaque = F.pad((alpha > SILHOUETTE_ALPHA).int().cumsum(0).cumsum(1), (1, 0, 1, 0))
    left, right = (side.clamp(0, width).long() for side in (left, right))
    top, bottom = (side.clamp(0, height).long() * (width + 1) for side in (top, bottom))
    at = opaque.take
    count = at(bottom + right) - at(top + right) - at(bottom + left) + at(top + left)
    return count == 0, inside, visible


def _framed(alpha: Iterable[Tensor]) -> list[bool]:
    """Return for each photo whether it shows the object whole; none does if that is not so for nearly all."""
    framed = []
    for photo in alpha:
        opaque = photo > SILHOUETTE_ALPHA
        border = opaque[0].any() | opaque[-1].any() | opaque[:, 0].any() | opaque[:, -1].any()
        framed.append(bool(opaque.any() & ~border))
    return framed if sum(framed) >= _FRAMED * len(framed) else [False] * len(framed)
