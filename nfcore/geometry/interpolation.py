"""Interpolation of cameras along a path."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore.scene.cameras import Cameras


def resampled(cameras: Cameras, n: int) -> Cameras:
    """Return ``n`` cameras spaced evenly along the path through ``cameras``, from the first to the last.

    Between two cameras, positions and intrinsics are interpolated linearly; rotations too, and then projected to
    the nearest rotation (orthogonal Procrustes).
    """
    if n == len(cameras):
        return cameras
    place = torch.linspace(0, len(cameras) - 1, n)
    before = place.floor().long()
    after = (before + 1).clamp(max=len(cameras) - 1)
    one, other = cameras[before], cameras[after]
    share = (place - before)[:, None, None]
    poses = torch.lerp(one.poses, other.poses, share)
    rotations = nearest_rotations(poses[:, :, :3])
    intrinsics = torch.lerp(one.intrinsics, other.intrinsics, share[:, 0])
    return Cameras(torch.cat([rotations, poses[:, :, 3:]], 2), intrinsics, cameras.height, cameras.width)


def nearest_rotations(matrices: Tensor) -> Tensor:
    """Return the rotations (n, 3, 3) with the least sum of squared differences to ``matrices`` (n, 3, 3)."""
    left, _, right = torch.linalg.svd(matrices)
    # Without the sign, a matrix with a negative determinant would become a reflection.
    sign = torch.det(left @ right).sign()
    rotations: Tensor = torch.cat([left[:, :, :2], left[:, :, 2:] * sign[:, None, None]], -1) @ right
    return rotations
