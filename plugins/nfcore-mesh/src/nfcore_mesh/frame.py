"""From the scene's world to that of file formats: y up, metres."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore import Cameras
from nfcore.geometry import upright


def standing(cameras: Cameras, low: Tensor, high: Tensor, metres: float) -> Tensor:
    """Return the transform (4, 4) float64 that puts a thing upright on the floor, at the origin.

    Up is that of the cameras, turned to +y with the least rotation.

    Args:
        cameras: by which up is known.
        low: (3,) lower corner of the thing, scene units.
        high: (3,) its upper corner.
        metres: metres per scene unit.

    """
    up = upright(cameras.poses.double().cpu())
    turn = _to_y(up)
    corners = torch.cartesian_prod(*torch.stack([low, high], 1).double()) @ turn.T
    centre = (corners.amin(0) + corners.amax(0)) / 2
    floor = torch.stack([centre[0], corners[:, 1].amin(), centre[2]])
    transform = torch.eye(4, dtype=torch.float64)
    transform[:3, :3] = metres * turn
    transform[:3, 3] = -metres * floor
    return transform


def _to_y(up: Tensor) -> Tensor:
    """Return the smallest rotation (3, 3) that takes the unit vector ``up`` to +y (Rodrigues' formula)."""
    y = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    axis, cosine = torch.linalg.cross(up, y), float(up @ y)
    if cosine < -1 + 1e-9:
        return torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
    x, y_, z = axis.tolist()
    skew = torch.tensor([[0, -z, y_], [z, 0, -x], [-y_, x, 0]], dtype=torch.float64)
    return torch.eye(3, dtype=torch.float64) + skew + skew @ skew / (1 + cosine)
