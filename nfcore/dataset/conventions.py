"""Poses in another convention, recognised because cameras look at one thing only if they are read in it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.geometry.orbits import nearest_point_to_axes

#: A camera looks at a point if its axis is within about 25 degrees of it.
_LEAST_COSINE = 0.9
#: Cameras are at one place if they differ by less than this share of their distance to the origin.
_LEAST_SPREAD = 1e-3
#: Shares of the cameras that look at one thing: poses may be wrong below the first, and are right from the second.
_FEW, _NEARLY_ALL = 0.5, 0.95
#: Positions are ahead if they are off the z axis, and differ, by less than this share of their distance; cameras
#: are turned differently if the cosine of one axis and its mean is less than this.
_AHEAD, _AROUND = 0.25, 0.7


def misread(poses: Tensor) -> str | None:
    """Return a sentence if poses (n, 3, 4) make sense in another convention only, or None.

    >>> misread(torch.eye(4)[None, :3].repeat(4, 1, 1)) is None
    True
    """
    right = "poses must be camera-to-world, x right, y up, looking down -z"
    inverted = f"cameras look at one thing only if the poses are read as world-to-camera matrices: {right}"
    rotation, position = poses[:, :, :3], poses[:, :, 3:]
    inverse = torch.cat([rotation.transpose(1, 2), -rotation.transpose(1, 2) @ position], 2)
    flip = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=poses.dtype)
    makes_sense = max(_look_at_one_thing(inverse), _look_at_one_thing(inverse * flip)) >= _NEARLY_ALL
    if makes_sense and _always_ahead(poses):
        return inverted
    if _look_at_one_thing(poses) >= _FEW:
        return None
    if _look_at_one_thing(poses * flip) >= _NEARLY_ALL:
        return (
            "cameras look away from each other, as in a room; if they should look at one thing, the poses have "
            f"OpenCV's axes, y down and z forwards: {right}"
        )
    return inverted if makes_sense else None


def _always_ahead(poses: Tensor) -> bool:
    """Whether positions are about one point on the z axis although cameras are turned differently.

    So world-to-camera matrices have the world's origin: straight ahead, always as far away.
    """
    positions = poses[:, :, 3]
    middle, mean_axes = positions.mean(0), F.normalize(poses[:, :, :3].mean(0), dim=0)
    off_axis = max(float(middle[:2].norm()), float((positions - middle).norm(dim=1).max()))
    cosines = (poses[:, :, :3] * mean_axes).sum(1)
    return off_axis < _AHEAD * abs(float(middle[2])) and float(cosines.min()) < _AROUND


def _look_at_one_thing(poses: Tensor) -> float:
    """Return the share of the cameras that look at the point that is nearest to their axes.

    It is 0 for cameras at one place, which have no such point: inverted poses of an orbit around the origin.
    """
    positions = poses[:, :, 3]
    offsets = nearest_point_to_axes(poses) - positions
    if (positions - positions.mean(0)).norm(dim=1).max() < _LEAST_SPREAD * positions.norm(dim=1).max():
        return 0.0
    axes = -F.normalize(poses[:, :, 2], dim=1)
    return float(((F.normalize(offsets, dim=1) * axes).sum(1) > _LEAST_COSINE).float().mean())
