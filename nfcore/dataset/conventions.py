"""Poses that were written in another convention: found by whether cameras look at one thing when read so."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.geometry.orbits import nearest_point_to_axes

#: A camera looks at a point if its axis is within about 25 degrees of it.
_AT = 0.9
#: Cameras are at one place if they differ by less than this share of their distance to the origin.
_APART = 1e-3
#: Shares of the cameras that look at one thing, in poses that are wrong and in such that are right.
_FEW, _NEARLY_ALL = 0.5, 0.95


def misread(poses: Tensor) -> str | None:
    """Return a sentence if poses (n, 3, 4) make sense in another convention only, or None.

    >>> misread(torch.eye(4)[None, :3].repeat(4, 1, 1)) is None
    True
    """
    if _look_at_one_thing(poses) >= _FEW:
        return None
    rotation, position = poses[:, :, :3], poses[:, :, 3:]
    inverse = torch.cat([rotation.transpose(1, 2), -rotation.transpose(1, 2) @ position], 2)
    flip = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=poses.dtype)
    right = "poses must be camera-to-world, x right, y up, looking down -z"
    if _look_at_one_thing(inverse) >= _NEARLY_ALL or _look_at_one_thing(inverse * flip) >= _NEARLY_ALL:
        return f"cameras look at one thing only if the poses are read as world-to-camera matrices: {right}"
    if _look_at_one_thing(poses * flip) >= _NEARLY_ALL:
        return (
            "cameras look away from each other, as in a room; if they should look at one thing, the poses have "
            f"OpenCV's axes, y down and z forwards: {right}"
        )
    return None


def _look_at_one_thing(poses: Tensor) -> float:
    """Return the share of the cameras that look at the point that is nearest to their axes.

    It is 0 for cameras at one place, which have no such point: inverted poses of an orbit around the origin.
    """
    positions = poses[:, :, 3]
    offsets = nearest_point_to_axes(poses) - positions
    if (positions - positions.mean(0)).norm(dim=1).max() < _APART * positions.norm(dim=1).max():
        return 0.0
    axes = -F.normalize(poses[:, :, 2], dim=1)
    return float(((F.normalize(offsets, dim=1) * axes).sum(1) > _AT).float().mean())
