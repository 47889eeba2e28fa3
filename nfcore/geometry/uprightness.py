"""The up direction of a set of cameras, from how their photos were held."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

#: If x axes vary less than this share of their squares, the direction orthogonal to all of them is noise.
_NO_SPREAD = 0.02
#: How much better a direction must explain how photos were held before one that makes all of them upright.
_CLEARLY = 0.5
#: Pairs of axes whose common normal is tried, if neither x nor y axes have one.
_PAIRS = 400
#: Mean squared sine of the rolls from which mixtures of upright and rotated photos are tried too.
_SLOPPY = 0.02
#: Mean sine of the cameras' elevations from which they decide the sign of up.
_ELEVATED = 0.02
#: Weight, relative to the rolls' error, of how much cameras look along a direction, which counts against it.
_STEEP = 0.03


def upright(poses: Tensor) -> Tensor:
    """Return the up direction of all cameras, a unit vector (3,), for poses (n, 3, 4).

    Photos are upright or on their side (as a phone held upright stores them), so each camera's x or y axis is
    level: up is orthogonal to it. It is found as the direction for which the photos' rolls are nearest to
    quarter turns. Upright photos decide its sign. If all are on their side, cameras are assumed to be above what
    they look at; if they are level too, the sign is the one nearer to +z, as most programs write it. Cameras that
    all point the same way, as in forward-facing captures, don't determine it: then it is the mean of their y axes.

    >>> eye = torch.eye(3)
    >>> upright(torch.stack([torch.cat([eye, torch.zeros(3, 1)], 1)] * 3))
    tensor([0., 1., 0.])
    """
    axes = F.normalize(poses[:, :, :3].double(), dim=1)
    up = _level(axes)
    if up is None:
        return F.normalize(poses[:, :, 1].mean(0), dim=0)
    return (_sign(up, poses.double()) * up).to(poses.dtype)


def rolls(poses: Tensor, up: Tensor) -> Tensor:
    """Return the cameras' rolls (n,) in radians: 0 is upright, after a quarter turn it is on its side."""
    right, above = (poses[:, :, :2].to(up) * up[:, None]).sum(1).unbind(1)
    return torch.atan2(right, above)


def _level(axes: Tensor) -> Tensor | None:
    """Return the direction, without its sign, for which photos (n, 3, 3) are upright or on their side."""
    (x_spread, x_normal), (y_spread, y_normal) = (_common_normal(axes[:, :, i]) for i in (0, 1))
    if max(x_spread, y_spread) <= _NO_SPREAD:
        return None
    candidates = torch.stack([x_normal, y_normal])
    errors = _roll_errors(axes, candidates)
    if errors.min() > _SLOPPY:  # some upright, some on their side: neither x nor y axes have a common normal
        candidates = torch.cat([candidates, _normals_of_pairs(axes)])
        errors = _roll_errors(axes, candidates)
    best = int(errors.argmin())
    return candidates[best if errors[best] < _CLEARLY * errors[0] else 0]


def _common_normal(vectors: Tensor) -> tuple[float, Tensor]:
    """Return how much unit vectors (n, 3) spread, and the direction that is most orthogonal to all of them."""
    values, directions = torch.linalg.eigh(vectors.T @ vectors)
    return float(values[1] / values[2]), directions[:, 0]


def _roll_errors(axes: Tensor, directions: Tensor) -> Tensor:
    """Return how badly each direction (m, 3) explains the rolls, (m,): mean squared sine from a quarter turn.

    A direction that cameras look along is less likely up: their rolls about it are noise.
    """
    right, above, back = (axes.transpose(1, 2) @ directions.T).square().unbind(1)
    error = torch.minimum(right, above) / (right + above).clamp_min(1e-12)
    errors: Tensor = (error + _STEEP * back).mean(0)
    return errors


def _normals_of_pairs(axes: Tensor) -> Tensor:
    """Return directions (m, 3) that are orthogonal to the x or y axes of two cameras each."""
    generator = torch.Generator().manual_seed(0)
    levels = axes[:, :, :2].transpose(1, 2).reshape(-1, 3)
    one, other = torch.randint(len(levels), (2, _PAIRS), generator=generator)
    normals = torch.linalg.cross(levels[one], levels[other])
    length = normals.norm(dim=1)
    chosen: Tensor = normals[length > 0.2] / length[length > 0.2, None]
    return chosen


def is_up_ambiguous(poses: Tensor) -> bool:
    """Whether the sign of up is undetermined: all photos (n, 3, 4) are on their side and cameras are level."""
    axes = F.normalize(poses[:, :, :3].double(), dim=1)
    up = _level(axes)
    return up is not None and _evidence(up, axes) is None


def _sign(up: Tensor, poses: Tensor) -> float:
    """Return 1 or -1: the sign of ``up`` by the evidence, or else by the z axis."""
    evidence = _evidence(up, poses)
    return 1.0 if (float(up[2]) if evidence is None else evidence) >= 0 else -1.0


def _evidence(up: Tensor, poses: Tensor) -> float | None:
    """Return a number with the sign of ``up`` by upright photos or, if there are none, by the cameras' height."""
    right, above = poses[:, :, 0] @ up, poses[:, :, 1] @ up
    held = above[above.abs() > right.abs()]
    if len(held) > 0.1 * len(poses):
        return float(held.sum())
    # Cameras look down on things more often than up at them.
    elevation = float((poses[:, :, 2] @ up).mean())
    return elevation if abs(elevation) > _ELEVATED else None
