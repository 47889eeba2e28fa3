"""The turn from a scene's world to that of viewers of splats: upright, and seen from where its cameras are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore import Cameras
from nfcore.geometry import nearest_point_to_axes, upright

#: From x right, y down, z forwards, as PLY has it, to SPZ's x right, y up, z backwards, and back.
FLIPPED = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


def viewer_rotation(cameras: Cameras) -> Tensor:
    """Return the rotation (3, 3) from the scene's world to one with y down, whose z points away from a camera."""
    up = upright(cameras.poses)
    away = nearest_point_to_axes(cameras.poses) - cameras.poses[0, :, 3]
    level = away - (away @ up) * up
    if float(level.norm()) < 1e-3 * float(away.norm().clamp_min(1e-9)):
        level = torch.linalg.cross(torch.eye(3)[int(up.abs().argmin())], up)
    forwards = F.normalize(level, dim=0)
    return torch.stack([torch.linalg.cross(-up, forwards), -up, forwards])
