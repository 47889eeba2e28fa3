"""From a field to its surface: where its voxels begin to absorb light, as triangles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from skimage.measure import marching_cubes
from torch import Tensor

from nfcore import Scene, Space, Teacher, UserError
from nfcore.geometry import Domain, domain_proportions
from nfcore.runtime import device_of

# Points at which the field is evaluated at once.
_POINTS = 1 << 18


@dataclass(frozen=True)
class Mesh:
    """Triangles in the scene's world.

    Args:
        vertices: (v, 3) float32, scene units.
        triangles: (t, 3) int64, indices of vertices, counter-clockwise seen from outside.

    """

    vertices: Tensor
    triangles: Tensor

    @property
    def areas(self) -> Tensor:
        """(t,) areas, scene units squared."""
        areas: Tensor = 0.5 * self._normals().norm(dim=1)
        return areas

    @property
    def face_normals(self) -> Tensor:
        """(t, 3) unit vectors that point outwards; 0 for a triangle without area."""
        return torch.nn.functional.normalize(self._normals(), dim=1)

    def _normals(self) -> Tensor:
        a, b, c = self.vertices[self.triangles].unbind(1)
        normals: Tensor = torch.linalg.cross(b - a, c - a)
        return normals

    def kept(self, triangles: Tensor) -> Mesh:
        """Return the mesh of some triangles, by index or a bool for each, without vertices that none has."""
        used, indices = self.triangles[triangles].unique(return_inverse=True)
        return Mesh(self.vertices[used], indices)


class Lattice:
    """Points of a grid over a scene's domain, in the world.

    Args:
        scene: the bounds of the scene.
        resolution: number of voxels along the longest side.
        extent: of an unbounded scene, how far the grid reaches, in half sides of the scene's box.

    """

    def __init__(self, scene: Scene, resolution: int, extent: float) -> None:
        self.scene, self.space, self.domain = scene, Space.of(scene), Domain.of(scene)
        low, high = [-1.0] * 3, [1.0] * 3
        if scene.unbounded:  # the cube's faces are at infinity; its inner half is the box
            low, high = ([sign * (2 - 1 / extent) / 2] * 3 for sign in (-1, 1))
        elif scene.forward_facing:
            high[2] = 1 - 2 * scene.near / scene.far
        proportions = domain_proportions(scene)
        voxels = [max(1, round(resolution * side / max(proportions))) for side in proportions]
        self.low, self.shape = torch.tensor(low), tuple(count + 1 for count in voxels)
        self.spacing = (torch.tensor(high) - self.low) / torch.tensor(voxels)

    def world(self, places: Tensor) -> Tensor:
        """Return the points (n, 3), scene units, at places in units of the grid's spacing."""
        return self.space.unwarp(self.low + places.float() * self.spacing)

    def voxel_size(self, points: Tensor) -> Tensor | float:
        """Return the side of a voxel at world points, scene units: of a cube with its volume."""
        sides = torch.tensor([high - low for low, high in zip(*self.domain.box, strict=True)]) / 2
        side = float((sides * self.spacing).prod()) ** (1 / 3)
        size: Tensor | float = side / self.domain.per_scene_unit(points)
        return size

    def slabs(self) -> Iterator[Tensor]:
        """Yield the places (n, 3) of the grid's points, x slowest, some at a time."""
        x, y, z = self.shape
        deep = max(1, _POINTS // (y * z))
        for first in range(0, x, deep):
            yield torch.cartesian_prod(torch.arange(first, min(x, first + deep)), torch.arange(y), torch.arange(z))


@torch.no_grad()
def opacities(teacher: Teacher, lattice: Lattice) -> Tensor:
    """Return the share of light (x, y, z) that a voxel around each point of the grid absorbs.

    Args:
        teacher: fitted.
        lattice: the grid.

    Raises:
        UserError: the teacher is no volume.

    """
    parts = []
    device = device_of(teacher)
    for places in lattice.slabs():
        points = lattice.world(places)
        field = teacher.field(points.to(device))
        if field is None:
            raise UserError(
                f"a mesh needs a teacher that is a volume: {type(teacher).__name__} has no density at points"
            )
        parts.append(1 - torch.exp(-field.density.cpu() * lattice.voxel_size(points)))
    return torch.cat(parts).reshape(lattice.shape)


def surface(opacity: Tensor, lattice: Lattice, level: float) -> Mesh:
    """Return the surface by marching cubes (Lorensen and Cline 1987, in Lewiner's form).

    An object in a box is closed where it meets the box; an unbounded scene is not.

    Args:
        opacity: (x, y, z), share of the light that a voxel absorbs.
        lattice: the grid.
        level: share of the light that is absorbed in a hundredth of the grid's longest side, at the surface: the
            same density at any resolution.

    Raises:
        UserError: it does not cross the level; says what it has.

    """
    most = float(opacity.max())
    if not math.isfinite(most):
        raise UserError("no mesh: the field's density is not finite")
    hundredth = (max(lattice.shape) - 1) / 100
    threshold = 1 - (1 - level) ** (1 / hundredth)
    if most <= threshold:
        least = 1 - (1 - most) ** hundredth
        raise UserError(f"no surface at level = {level:g}: the field absorbs {least:.2g} there at most")
    volume, offset = opacity.numpy(), 0
    if not (lattice.scene.unbounded or lattice.scene.forward_facing):
        volume, offset = np.pad(volume, 1), 1
    if float(volume.min()) >= threshold:
        raise UserError(f"no surface at level = {level:g}: the field absorbs more everywhere")
    # NDC mirrors the world. Triangles are counter-clockwise seen from where the opacity is lower.
    order: Any = "descent" if lattice.scene.forward_facing else "ascent"
    corners, triangles, _, _ = marching_cubes(volume, threshold, gradient_direction=order)
    vertices = lattice.world(torch.from_numpy(corners.astype(np.float32)) - offset)
    return Mesh(vertices, torch.from_numpy(triangles.astype(np.int64)))
