"""Points on what a teacher's views show."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore import Cameras, Teacher
from nfcore.views import render_view
from nfcore_mesh.texture import OPAQUE, foreground

# Neighbouring pixels whose depths differ by more than this share are on two things.
_SAME = 0.02


@dataclass(frozen=True)
class Cloud:
    """n points.

    Args:
        points: (n, 3) float32, scene units.
        colours: (n, 3) uint8 RGB.
        normals: (n, 3) float32 unit vectors towards the camera that saw the point.
        spacing: about the distance between neighbours, scene units.

    """

    points: Tensor
    colours: Tensor
    normals: Tensor
    spacing: float


def cloud(teacher: Teacher, cameras: Cameras) -> Cloud:
    """Return a point for each opaque pixel of the teacher's views; its normal is that of the depths around it."""
    parts = [_of_view(teacher, camera) for camera in cameras]
    points, colours, normals, widths = (torch.cat(column) for column in zip(*parts, strict=True))
    return Cloud(points, colours, normals, float(widths.median()) if len(widths) else 0.0)


def thinned(dense: Cloud, most: int) -> Cloud:
    """Return the cloud with at most ``most`` points: one in each cube of a grid, the one nearest to their mean."""
    spacing, chosen = dense.spacing, _in_cubes(dense.points, dense.spacing)
    while len(chosen) > most:
        # Points cover surfaces: their number falls with the square of the spacing.
        spacing *= max(1.05, (len(chosen) / most) ** 0.5)
        chosen = _in_cubes(dense.points, spacing)
    return Cloud(dense.points[chosen], dense.colours[chosen], dense.normals[chosen], spacing)


def _of_view(teacher: Teacher, camera: Cameras) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return points (n, 3), colours, normals and the width of a pixel (n,) there, of one view."""
    seen, rays = render_view(teacher, camera), camera.rays()
    depth, opacity = seen.depth.cpu(), seen.opacity.cpu()
    origins, directions = rays.origins[0], rays.directions[0]
    world = origins + depth[..., None] * directions
    right, down = _difference(world, depth, 1), _difference(world, depth, 0)
    normals = F.normalize(torch.linalg.cross(down, right), dim=2)
    towards = -torch.sign((normals * directions).sum(2, keepdim=True))
    chosen = (opacity > OPAQUE) & (normals.norm(dim=2) > 0.5)
    colours = (foreground(seen, teacher.scene.background)[chosen].clamp(0, 1) * 255).round().to(torch.uint8)
    footprint = depth[chosen] / camera.intrinsics[0, 0]
    return world[chosen], colours, (towards * normals)[chosen], footprint


def _difference(world: Tensor, depth: Tensor, axis: int) -> Tensor:
    """Return the difference (h, w, 3) to a neighbour along an axis that is on the same thing; 0 without one."""
    forward = torch.zeros_like(world)
    count = world.shape[axis] - 1
    ahead, here = world.narrow(axis, 1, count), world.narrow(axis, 0, count)
    near, far = depth.narrow(axis, 0, count), depth.narrow(axis, 1, count)
    same = ((near - far).abs() < _SAME * torch.minimum(near, far))[..., None]
    step = (ahead - here) * same
    forward.narrow(axis, 0, count).copy_(step)
    backward = torch.zeros_like(world)
    backward.narrow(axis, 1, count).copy_(step)
    return torch.where(forward.abs().sum(2, keepdim=True) > 0, forward, backward)


def _in_cubes(points: Tensor, side: float) -> Tensor:
    """Return the indices of one point in each cube with points."""
    cubes = ((points - points.amin(0)) / side).floor().long()
    _, cube, counts = cubes.unique(dim=0, return_inverse=True, return_counts=True)
    means = torch.zeros(len(counts), 3).index_add_(0, cube, points) / counts[:, None]
    distance = (points - means[cube]).norm(dim=1)
    order = distance.argsort(descending=True, stable=True)
    chosen = torch.zeros(len(counts), dtype=torch.long)
    chosen[cube[order]] = order  # the last one written is the nearest
    return chosen
