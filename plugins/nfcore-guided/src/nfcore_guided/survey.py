"""What is taken over from a teacher: its density, and first features, at the vertices of a lattice in the cube."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import Cameras, NfcoreError, Space, Teacher
from nfcore.views import render_view
from nfcore_guided.lattice import vertices

#: Optical depth of a cell at which it is opaque: denser ones would only make the density's blur uneven.
OPAQUE = 16.0
#: Field samples per vertex, at random within its cell: the mean is a prefilter.
SAMPLES = 4
#: Points that a field is asked for at once.
CHUNK = 1 << 16
#: Pixels, of all views together, that are rendered to survey a teacher that is no volume.
RAYS = 300_000
#: Normally distributed first features where the teacher gives none: their deviation.
DEVIATION = 0.1


@dataclass(frozen=True)
class Survey:
    """What was found at v vertices, in the order of ``lattice.vertices``.

    Args:
        density: (v,) float32 per scene unit.
        cell: (v,) shortest side of the vertex's cell, scene units.
        features: (v, f) or None: a teacher's own features, or the mean colour it shows there as logits.

    """

    density: Tensor
    cell: Tensor
    features: Tensor | None


@torch.no_grad()
def survey(teacher: Teacher, space: Space, cameras: Cameras, resolution: int) -> Survey:
    """Return density and features of ``teacher`` at the vertices of a lattice of ``resolution``.

    A teacher that offers its ``field`` is asked for it; any other is looked at through ``cameras``.

    Raises:
        NfcoreError: there is nothing to see, or the teacher answers NaN.

    """
    # The same teacher always gives the same survey: a run that goes on finds the tables that it left.
    generator = torch.Generator().manual_seed(0)
    places = vertices(resolution)
    cell = _cell_sides(space, places, resolution)
    found = _from_field(teacher, space, places, cell, resolution, generator)
    if found is None:
        found = _from_renders(teacher, space, cameras, cell, resolution)
    density, features = found
    if not density.isfinite().all() or (features is not None and not features.isfinite().all()):
        raise NfcoreError("the teacher answers NaN where its geometry is read: teach it again, with another seed")
    if not (density * cell > 0.02).any():
        raise NfcoreError("the teacher's scene is empty, there is no geometry to guide by: teach it longer")
    return Survey(torch.minimum(density, OPAQUE / cell), cell, features)


def _cell_sides(space: Space, places: Tensor, resolution: int) -> Tensor:
    """Return (v,) the shortest side in the world of the cell around each vertex, scene units."""
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
    densities, features = [], []
    for part, sides in zip(places.split(CHUNK), cell.split(CHUNK), strict=True):
        field = teacher.field(space.unwarp(part))
        if field is None:
            return None
        if field.features is not None:
            features.append(field.features.float().cpu())
        total = torch.zeros(len(part))
        for _ in range(SAMPLES):
            shift = (torch.rand(part.shape, generator=generator) - 0.5) * (2 / (resolution - 1))
            jittered = teacher.field(space.unwarp((part + shift).clamp(-1, 1)))
            assert jittered is not None
            total += torch.minimum(jittered.density.float().cpu(), 2 * OPAQUE / sides)
        densities.append(total / SAMPLES)
    return torch.cat(densities), torch.cat(features) if features else None


def _of_few_pixels(cameras: Cameras) -> Cameras:
    """Return the same cameras with pictures so small that they have ``RAYS`` pixels in all."""
    share = min(1.0, math.sqrt(RAYS / (len(cameras) * cameras.height * cameras.width)))
    return cameras.resized(*(max(1, round(share * side)) for side in (cameras.height, cameras.width)))


def _from_renders(
    teacher: Teacher, space: Space, cameras: Cameras, cell: Tensor, resolution: int
) -> tuple[Tensor, Tensor]:
    """Return density and mean colour (as logits) from where the light of whole views passes and where it ends.

    The density of a cell is the light that is absorbed in it by the length that light travels through it: the
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

    small = _of_few_pixels(cameras)
    for index in range(len(small)):
        rays, seen = small[index].rays().flat(), render_view(teacher, small[index])
        opacity, depth, rgb = (x.float().cpu().flatten(0, 1) for x in (seen.opacity, seen.depth, seen.rgb))
        speed = rays.directions.norm(dim=1, keepdim=True)
        starts = space.depths(rays.origins, rays.directions, edges)
        centres = space.depths(rays.origins, rays.directions, middles)
        length = (starts[:, 1:] - starts[:, :-1]) * speed
        light = torch.where(centres < depth[:, None], 1.0, 1 - opacity[:, None])
        at = vertex(space.at(rays.origins, rays.directions, centres))
        travelled.scatter_add_(0, at.flatten(), (light * length).flatten())
        end = vertex(space.at(rays.origins, rays.directions, depth[:, None]))[:, 0]
        absorbed.scatter_add_(0, end, opacity)
        colour.index_add_(0, end, opacity[:, None] * rgb.clamp(0.02, 0.98).logit())
    # A cell that light only ends in has been travelled through for a part of its side.
    density = absorbed / (travelled + 0.05 * cell)
    # Vertices beside a surface are looked up with it: where no light ends they get their neighbours' colour.
    ended = torch.cat([colour, absorbed[:, None]], 1)
    around = F.avg_pool3d(ended.t().reshape(1, 4, resolution, resolution, resolution), 3, 1, 1)
    ended += 1e-3 * around.reshape(4, -1).t()
    return density, ended[:, :3] / ended[:, 3:].clamp(min=1e-6)
