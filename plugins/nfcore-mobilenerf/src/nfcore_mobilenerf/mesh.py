"""From a fitted field to polygons: surface nets on its density, a quad for each grid edge that it crosses.

MobileNeRF (Chen et al. 2022, section 3.1) starts from a grid with a vertex in each cell, and has a quad for each
grid edge, between the vertices of the four cells around it; training then moves the vertices. Here a fitted field
places them: a vertex is the mean of the points where the density crosses a level on its cell's edges (Gibson 1998,
"Constrained elastic surface nets"), and edges that it does not cross need no quad. Each of several levels makes a
shell of its own: opacities, which are fitted later, choose between them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import Scene, Space, Teacher, UserError
from nfcore.geometry import Domain, domain_proportions

#: Points at which a field is evaluated at once.
_POINTS = 1 << 18
#: The least optical depth over a cell's width that a surface may have, and what counts as none.
_LEAST, _NONE = 1e-3, 1e-6


@dataclass(frozen=True)
class Quads:
    """Quadrilaterals: each is the triangles of its corners 0, 1, 2 and 0, 2, 3.

    Args:
        vertices: (v, 3) float32, world, scene units.
        corners: (q, 4) int32, rows of ``vertices``, in order around the quad.

    """

    vertices: Tensor
    corners: Tensor

    def __len__(self) -> int:
        return len(self.corners)

    def chosen(self, index: Tensor) -> Quads:
        """Return the quads at ``index`` (m,), and of the vertices only theirs."""
        used, corners = self.corners[index].unique(return_inverse=True)
        return Quads(self.vertices[used.long()], corners.int())


@torch.no_grad()
def quads_of(field: Teacher, cells: int, levels: Sequence[float]) -> Quads:
    """Return the surfaces of a fitted ``field``.

    Args:
        field: a teacher with ``field(points)``.
        cells: along the longest side of the scene's domain.
        levels: opacities, over the width of a cell, at which there is a surface. In a field that is nowhere so
            opaque it is where half of the greatest density is.

    Raises:
        UserError: the teacher has no field, or the field has no surface.

    """
    scene = field.scene
    domain = Domain.of(scene)
    low, high = (torch.tensor(corner) for corner in domain.box)
    proportions = torch.tensor(domain_proportions(scene))
    shape = [max(2, round(float(cells * side))) + 1 for side in proportions / proportions.max()]
    axes = [torch.linspace(float(a), float(b), n) for a, b, n in zip(low, high, shape, strict=True)]
    width = domain.longest / cells
    depth = F.pad(_optical_depth(field, domain, axes, width), [1] * 6)
    most = float(depth.max())
    if most < _LEAST:
        raise UserError(
            f"the field has no surface: over a cell's width, {width:.3g} units, it is nowhere more opaque than "
            f"{-math.expm1(-most):.2g}. Fit it for more steps, and check that the scene's bounds hold the scene"
        )
    thresholds = sorted({min(-math.log1p(-level), most / 2) for level in levels})
    shells = [_surface(depth.clamp_min(_NONE).log(), math.log(threshold)) for threshold in thresholds]
    spacing = (high - low) / (torch.tensor(shape) - 1)
    firsts = itertools.accumulate((len(vertices) for vertices, _ in shells), initial=0)
    places = low + spacing * (torch.cat([vertices for vertices, _ in shells]) - 1)
    places = places.maximum(low).minimum(high)
    corners = torch.cat([corners + first for (_, corners), first in zip(shells, firsts, strict=False)])
    return Quads(_to_world(scene, places), corners.int())


def _optical_depth(field: Teacher, domain: Domain, axes: list[Tensor], width: float) -> Tensor:
    """Return density times ``width`` at the grid's vertices, (x, y, z)."""
    device = next(field.parameters()).device
    slices = []
    for x in axes[0]:
        points = torch.cartesian_prod(x[None], *axes[1:])
        slices.append(torch.cat([_density(field, domain, part.to(device)) for part in points.split(_POINTS)]))
    return torch.cat(slices).view(*map(len, axes)) * width


def _density(field: Teacher, domain: Domain, points: Tensor) -> Tensor:
    """Return the density (m,) per unit of the domain at its ``points`` (m, 3), on the CPU."""
    world = _to_world(domain.scene, points)
    found = field.field(world)
    if found is None:
        raise UserError(f"a {type(field).__name__} is no volume, and has no surfaces to start from: use deferred")
    return (found.density / domain.per_scene_unit(world)).nan_to_num(0, 0, 0).cpu()


def _to_world(scene: Scene, points: Tensor) -> Tensor:
    boxed = not (scene.forward_facing or scene.unbounded)
    if boxed:
        return points
    # On the cube's faces is infinity.
    return Space.of(scene).unwarp(points.clamp(-1 + 1e-3, 1 - 1e-3))


def _surface(values: Tensor, level: float) -> tuple[Tensor, Tensor]:
    """Return where ``values`` (x, y, z) cross ``level``: vertices (v, 3) in cells, and quads (q, 4) of them."""
    inside = values > level
    total = torch.zeros(*(n - 1 for n in values.shape), 3)
    count = torch.zeros(total.shape[:3])
    crossed = []
    for axis in range(3):
        n = values.shape[axis] - 1
        a, b = values.narrow(axis, 0, n), values.narrow(axis, 1, n)
        cross = inside.narrow(axis, 0, n) != inside.narrow(axis, 1, n)
        share = torch.where(cross, ((level - a) / (b - a)).clamp(0, 1), 0)
        crossed.append(cross)
        others = [other for other in range(3) if other != axis]
        for sides in itertools.product((0, 1), repeat=2):
            part = [slice(None)] * 3
            for other, side in zip(others, sides, strict=True):
                part[other] = slice(side, values.shape[other] - 1 + side)
            here = cross[tuple(part)]
            count += here
            total[..., axis] += share[tuple(part)]
            for other, side in zip(others, sides, strict=True):
                total[..., other] += here * side
    cells = count.nonzero()
    vertices = cells + total[tuple(cells.T)] / count[tuple(cells.T)][:, None]
    number = torch.full(count.shape, -1)
    number[tuple(cells.T)] = torch.arange(len(cells))
    return vertices, torch.cat([_quads(cross, axis, number) for axis, cross in enumerate(crossed)])


def _quads(cross: Tensor, axis: int, number: Tensor) -> Tensor:
    """Return the quads (q, 4) around the crossed edges along ``axis``, as rows of ``number``'s vertices."""
    edges = cross.nonzero()
    u, v = (axis + 1) % 3, (axis + 2) % 3
    within = torch.ones(len(edges), dtype=torch.bool)
    for side in (u, v):
        within &= (edges[:, side] > 0) & (edges[:, side] < number.shape[side])
    edges = edges[within]
    corners = []
    for du, dv in ((1, 1), (0, 1), (0, 0), (1, 0)):
        cell = edges.clone()
        cell[:, u] -= du
        cell[:, v] -= dv
        corners.append(number[tuple(cell.T)])
    return torch.stack(corners, 1)
