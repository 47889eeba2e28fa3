"""Density sampling: a teacher's density and initial features at the vertices of a lattice in the cube."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import Cameras, NfcoreError, Space, Teacher
from nfcore.runtime import device_of
from nfcore.views import render_view
from nfcore_guided.lattice import vertices

#: Optical depth of a cell at which it is opaque: denser ones would only make the density's blur uneven.
OPAQUE = 16.0
#: Field samples per vertex, at random within its cell: the mean is a prefilter.
SAMPLES = 4
#: Points at which a field is evaluated at once.
CHUNK = 1 << 16
#: Pixels, of all views together, that are rendered to sample a teacher that has no ``field``.
RAYS = 300_000
#: Standard deviation of normally distributed initial features, where the teacher has none of its own.
DEVIATION = 0.1


@dataclass(frozen=True)
class DensitySamples:
    """Samples at v vertices, in the order of ``lattice.vertices``.

    Args:
        density: (v,) float32 per scene unit.
        cell: (v,) shortest side of the vertex's cell, scene units.
        features: (v, f) or None: the teacher's own features, or the mean colour that it renders there, as logits.

    """

    density: Tensor
    cell: Tensor
    features: Tensor | None


@torch.no_grad()
def sample_density(teacher: Teacher, space: Space, cameras: Cameras, resolution: int) -> DensitySamples:
    """Return density and features of ``teacher`` at the vertices of a lattice of ``resolution``.

    A teacher's ``field`` is used where it has one; else density is estimated from views rendered at ``cameras``.

    Raises:
        NfcoreError: the scene is empty, or the teacher returns NaN.

    """
    # The same teacher always has the same samples: a resumed run needs tables of the size that it saved.
    generator = torch.Generator().manual_seed(0)
    places = vertices(resolution)
    cell = _cell_sides(space, places, resolution)
    found = _from_field(teacher, space, places, cell, resolution, generator)
    if found is None:
        found = _from_renders(teacher, space, cameras, cell, resolution)
    density, features = found
    if not density.isfinite().all() or (features is not None and not features.isfinite().all()):
        raise NfcoreError("the teacher's density or features are NaN: fit it again with another seed")
    if not (density * cell > 0.02).any():
        raise NfcoreError("the teacher's scene is empty, so there is no geometry to guide by: raise teach.steps")
    return DensitySamples(torch.minimum(density, OPAQUE / cell), cell, features)


def _cell_sides(space: Space, places: Tensor, resolution: int) -> Tensor:
    """Return the shortest side (v,) of the cell around each vertex, scene units in the world."""
    half = 1 / (resolution - 1)
    sides = []
    for axis in range(3):
        step = half * torch.eye(3)[axis]
        # The cube's faces may be at infinity: cells stay within them.
        high, low = (space.unwarp((places + sign * step).clamp(-0.999, 0.999)) for sign in (1, -1))
        sides.append((high - low).norm(dim=1))
    return torch.stack(sides).amin(0).clamp(min=1e-6)


def _from_field(
    teacher: Teacher, space: Space, places: Tensor, cell: Tensor, resolution: int, generator: torch.Generator
) -> tuple[Tensor, Tensor | None] | None:
    """Return the mean density over each vertex's cell, and the features at the vertex; None without a field."""
    device = device_of(teacher)
    densities, features = [], []
    for part, sides in zip(places.split(CHUNK), cell.split(CHUNK), strict=True):
        field = teacher.field(space.unwarp(part).to(device))
        if field is None:
            return None
        if field.features is not None:
            features.append(field.features.float().cpu())
        total = torch.zeros(len(part))
        for _ in range(SAMPLES):
            shift = (torch.rand(part.shape, generator=generator) - 0.5) * (2 / (resolution - 1))
            jittered = teacher.field(space.unwarp((part + shift).clamp(-1, 1)).to(device))
            assert jittered is not None
            total += torch.minimum(jittered.density.float().cpu(), 2 * OPAQUE / sides)
        densities.append(total / SAMPLES)
    return torch.cat(densities), torch.cat(features) if features else None


def _of_few_pixels(cameras: Cameras) -> Cameras:
    """Return the same cameras with images so small that they have at most ``RAYS`` pixels in all."""
    share = min(1.0, math.sqrt(RAYS / (len(cameras) * cameras.height * cameras.width)))
    return cameras.resized(*(max(1, round(share * side)) for side in (cameras.height, cameras.width)))


def _from_renders(
    teacher: Teacher, space: Space, cameras: Cameras, cell: Tensor, resolution: int
) -> tuple[Tensor, Tensor]:
    """Return density and mean colour (as logits), estimated from where rays of rendered views are absorbed.

    The density of a cell is the light absorbed in it, divided by the length that light travels through it: the
    maximum likelihood estimate of an absorption rate. A ray is absorbed at its expected depth.
    """
    count = len(cell)
    absorbed, travelled = torch.zeros(count), torch.zeros(count)
    colour = torch.zeros(count, 3)
    steps = 2 * resolution
    edges = torch.linspace(0, 1, steps + 1)
    middles = (edges[1:] + edges[:-1]) / 2

    def vertex(xyz: list[Tensor]) -> Tensor:
        number = torch.zeros((), dtype=torch.int64)
        for coordinate in xyz:
            number = number * resolution + ((coordinate.clamp(-1, 1) + 1) * ((resolution - 1) / 2)).round().long()
        return number

    for camera in _of_few_pixels(cameras):
        rays, seen = camera.rays().flat(), render_view(teacher, camera)
        opacity, depth, rgb = (x.float().cpu().flatten(0, 1) for x in (seen.opacity, seen.depth, seen.rgb))
        direction_norm = rays.directions.norm(dim=1, keepdim=True)
        starts = space.depths(rays.origins, rays.directions, edges)
        centres = space.depths(rays.origins, rays.directions, middles)
        length = (starts[:, 1:] - starts[:, :-1]) * direction_norm
        light = torch.where(centres < depth[:, None], 1.0, 1 - opacity[:, None])
        at = vertex(space.at(rays.origins, rays.directions, centres))
        travelled.scatter_add_(0, at.flatten(), (light * length).flatten())
        end = vertex(space.at(rays.origins, rays.directions, depth[:, None]))[:, 0]
        absorbed.scatter_add_(0, end, opacity)
        colour.index_add_(0, end, opacity[:, None] * rgb.clamp(0.02, 0.98).logit())
    # A cell that light only ends in has been travelled through for a part of its side.
    density = absorbed / (travelled + 0.05 * cell)
    # Vertices next to a surface are looked up with it: where no ray is absorbed they get their neighbours' colour.
    ended = torch.cat([colour, absorbed[:, None]], 1)
    around = F.avg_pool3d(ended.t().reshape(1, 4, resolution, resolution, resolution), 3, 1, 1)
    ended += 1e-3 * around.reshape(4, -1).t()
    return density, ended[:, :3] / ended[:, 3:].clamp(min=1e-6)
