"""Gaussians on the surface that a fitted teacher's views show: flat, and as wide as they are apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore import Cameras, Rendering, Scene, Teacher, UserError
from nfcore.views import render_view
from nfcore_splats.descent import Targets
from nfcore_splats.gaussians import Gaussians, quaternions_of_axis
from nfcore_splats.initial import spacing

# Pixels with less opacity are of edges and of floaters.
_OPAQUE = 0.6
# Neighbouring pixels whose depths differ by more than this share are on different surfaces.
_SAME = 0.05
# Expected depths at silhouettes are between two surfaces. A cube with less than this share of the median number of
# points has only such points: views agree on surfaces.
_AGREED = 0.3
# Thickness of a Gaussian as a share of its width, width as a share of the distance to neighbours, opacity.
_THIN, _WIDE, _OPACITY = 0.3, 0.4, 0.3


@dataclass(frozen=True)
class Seen:
    """What n views of a teacher show.

    Args:
        targets: images and opacities.
        points: (m, 3) float32 where rays of opaque pixels end, scene units.
        normals: (m, 3) float32 unit vectors.
        colours: (m, 3) float32 RGB in [0, 1].

    """

    targets: Targets
    points: Tensor
    normals: Tensor
    colours: Tensor


def look(teacher: Teacher, cameras: Cameras) -> Seen:
    """Return what ``teacher`` shows at ``cameras``."""
    images, opacities, parts = [], [], []
    for camera in cameras:
        seen = render_view(teacher, camera)
        view = Rendering(seen.rgb.float().cpu(), seen.opacity.float().cpu(), seen.depth.float().cpu())
        images.append(view.rgb)
        opacities.append(view.opacity)
        parts.append(_points(view, camera, teacher.scene))
    points, normals, colours = (torch.cat(column) for column in zip(*parts, strict=True))
    # In an unbounded scene, all rays are opaque: opacity is no target.
    opacity = None if teacher.scene.unbounded or teacher.scene.forward_facing else torch.stack(opacities)
    return Seen(Targets(cameras, torch.stack(images), opacity), points, normals, colours)


def on_surface(seen: Seen, most: int, degree: int, generator: torch.Generator) -> Gaussians:
    """Return at most ``most`` Gaussians on the points that were seen, evenly over the surface.

    Raises:
        UserError: nothing was seen.

    """
    if not len(seen.points):
        raise UserError("no splats: the teacher's views show nothing that is opaque")
    chosen = _evenly(seen.points, most, generator)
    points, normals = seen.points[chosen], seen.normals[chosen]
    width = _WIDE * spacing(points)
    gaussians = Gaussians.of_colours(
        points, torch.stack([width, width, _THIN * width], 1), seen.colours[chosen], _OPACITY
    )
    return replace(gaussians, quaternions=quaternions_of_axis(normals)).with_degree(degree)


def _points(view: Rendering, camera: Cameras, scene: Scene) -> tuple[Tensor, Tensor, Tensor]:
    """Return points, normals and colours (m, 3) of the opaque pixels of one view (h, w, ..)."""
    rays = camera.rays()
    world = rays.origins[0] + view.depth[..., None] * rays.directions[0]
    right, down = _difference(world, view.depth, 1), _difference(world, view.depth, 0)
    normals = F.normalize(torch.linalg.cross(down, right), dim=2)
    facing = torch.where(normals.norm(dim=2, keepdim=True) > 0.5, normals, F.normalize(rays.directions[0], dim=2))
    chosen = (view.opacity > _OPAQUE) & (view.depth > 0)
    opacity = view.opacity[..., None].clamp_min(_OPAQUE)
    colours = ((view.rgb - (1 - view.opacity[..., None]) * torch.tensor(scene.background)) / opacity).clamp(0, 1)
    return world[chosen], facing[chosen], colours[chosen]


def _difference(world: Tensor, depth: Tensor, axis: int) -> Tensor:
    """Return the difference (h, w, 3) to the next pixel along an axis, 0 where that is on another surface."""
    count = world.shape[axis] - 1
    here, ahead = depth.narrow(axis, 0, count), depth.narrow(axis, 1, count)
    same = ((here - ahead).abs() < _SAME * torch.minimum(here, ahead))[..., None]
    found = torch.zeros_like(world)
    found.narrow(axis, 0, count).copy_((world.narrow(axis, 1, count) - world.narrow(axis, 0, count)) * same)
    return found


def _evenly(points: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Return the indices of at most ``most`` points: one in each cube of a grid that is as fine as that allows."""
    order = torch.randperm(len(points), generator=generator)
    low, side = points.amin(0), float((points.amax(0) - points.amin(0)).max().clamp_min(1e-9))
    fine, coarse = side / 4096, side
    kept = order[:most]
    for _ in range(12):  # bisection
        middle = (fine * coarse) ** 0.5
        found = _one_in_each(points[order], low, middle)
        if len(found) > most:
            fine = middle
        else:
            coarse, kept = middle, order[found]
    return kept


def _one_in_each(points: Tensor, low: Tensor, side: float) -> Tensor:
    """Return the index of the first point in each cube of a grid, without cubes that have only outliers."""
    x, y, z = ((points - low) / side).long().unbind(1)
    cubes, first = ((x << 40) | (y << 20) | z).sort(stable=True)
    counts = cubes.unique_consecutive(return_counts=True)[1]
    starts = counts.cumsum(0) - counts
    return first[starts[counts >= _AGREED * counts.median()]]
