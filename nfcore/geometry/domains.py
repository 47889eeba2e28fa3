"""The domain of a field: the scene's box, or the cube to which the world is warped.

The field of a scene in a box is defined in the box, in scene units. That of a forward-facing or unbounded scene is
defined in the cube [-1, 1]^3 of ``nfcore.Space``. Its density is per unit of length in its domain; times
``per_scene_unit`` it is per scene unit. That factor depends only on the position, so density is the same in all
directions, as in NeRF's equation 1, even where the warp is not conformal.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from nfcore.geometry.ndc import far_face_ratios, slope, to_ndc, to_near_plane
from nfcore.geometry.paths import BentPaths, NdcPaths, Paths, StraightPaths, bent_distance, shrinkage
from nfcore.geometry.spaces import Space
from nfcore.scene.bounds import Scene, Vector
from nfcore.scene.cameras import Rays

_CUBE: tuple[Vector, Vector] = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
_NDC_DEPTH = 0.5
# Bent paths are straight for this many radii of the box to either side of the centre: on average over directions,
# steps are then as long in the contracted world as in the box.
_STRAIGHT = 1.5


def domain_box(scene: Scene) -> tuple[Vector, Vector]:
    """Return the lower and the upper corner of the domain of fields of ``scene``."""
    return _CUBE if scene.forward_facing or scene.unbounded else scene.box


def domain_proportions(scene: Scene) -> Vector:
    """Return the relative resolutions of the domain's sides.

    In proportion to their lengths; but NDC's x and y in proportion to the photos' sides, and its z, of which most
    is near the cameras and empty, half as finely.
    """
    if scene.forward_facing:
        across, down = far_face_ratios(scene)
        widest = max(1 / across, 1 / down)
        return 1 / across / widest, 1 / down / widest, _NDC_DEPTH
    x, y, z = (high - low for low, high in zip(*domain_box(scene), strict=True))
    return x, y, z


class Domain(ABC):
    """The domain of the fields of one scene.

    Args:
        scene: the bounds of the scene.

    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.space = Space.of(scene)
        self.box = domain_box(scene)
        self.longest = max(high - low for low, high in zip(*self.box, strict=True))

    @staticmethod
    def of(scene: Scene) -> Domain:
        """Return the domain for the scene's kind.

        Raises:
            UserError: a forward-facing scene that is not along -z of the world.

        """
        if scene.forward_facing:
            return _NdcDomain(scene)
        return _ContractedDomain(scene) if scene.unbounded else _BoxDomain(scene)

    @abstractmethod
    def paths(self, rays: Rays) -> Paths:
        """Return the paths of ``rays`` (n, 3) through the domain, from the scene's near to its far."""

    def warp(self, points: Tensor) -> Tensor:
        """Return world points (n, 3), scene units, in the domain; those outside it are outside ``box``."""
        return self.space.warp(points)

    @abstractmethod
    def per_scene_unit(self, points: Tensor) -> Tensor | float:
        """Return the domain's units per scene unit at world points (n, 3), for densities."""

    @abstractmethod
    def across(self, points: Tensor) -> Tensor | float:
        """Return the domain's units per scene unit across a ray, (...), at points (..., 3) of the domain."""

    def holds(self, points: Tensor) -> Tensor:
        """Return (n,) bool: which points (n, 3) are inside the domain."""
        low, high = (points.new_tensor(corner) for corner in self.box)
        return ((points >= low) & (points <= high)).all(1)


class _BoxDomain(Domain):
    """The scene's box, unwarped."""

    def paths(self, rays: Rays) -> Paths:
        length = rays.directions.norm(dim=1)
        origins, directions = rays.origins.t().contiguous(), (rays.directions / length[:, None]).t().contiguous()
        return StraightPaths(self.scene.near * length, self.scene.far * length, origins, directions, length)

    def warp(self, points: Tensor) -> Tensor:
        return points

    def per_scene_unit(self, points: Tensor) -> Tensor | float:
        return 1.0

    def across(self, points: Tensor) -> Tensor | float:
        return 1.0


class _NdcDomain(Domain):
    """NDC: the frustum in front of the near plane; lengths are measured in z only."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.ratios = far_face_ratios(scene)

    def paths(self, rays: Rays) -> Paths:
        near = self.scene.near
        origins, directions = to_ndc(rays.origins, rays.directions, near, self.ratios, -1)
        length = directions.norm(dim=1)
        slopes = -slope(rays.directions, -1)[:, 0]
        return NdcPaths(
            torch.zeros_like(length),
            length,
            origins.t().contiguous(),
            (directions / length[:, None]).t().contiguous(),
            length,
            to_near_plane(rays.origins, rays.directions, near, -1)[:, 0],
            near / slopes,
            2 / length * (rays.directions.norm(dim=1) / slopes),
        )

    def per_scene_unit(self, points: Tensor) -> Tensor | float:
        """The slope of NDC's z = 1 - 2 near / depth."""
        near = self.scene.near
        return 2 * near / (-points[:, 2]).clamp_min(near) ** 2

    def across(self, points: Tensor) -> Tensor | float:
        """NDC's x is ``ratio`` times x over depth, and depth is 2 near / (1 - z)."""
        return sum(self.ratios) / 2 * (1 - points[..., 2]) / (2 * self.scene.near)


class _ContractedDomain(Domain):
    """The box in the inner half of the cube, the rest of the world around it."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.scale = 1 / (2 * math.prod(self.space.half) ** (1 / 3))

    def paths(self, rays: Rays) -> Paths:
        centre, half = rays.origins.new_tensor(self.space.centre), rays.origins.new_tensor(self.space.half)
        begin, move = (rays.origins - centre) / half, rays.directions / half
        rate = move.norm(dim=1)
        nearest = -(begin * move).sum(1) / rate**2
        radius = (begin + nearest[:, None] * move).norm(dim=1)
        straight, speed = _STRAIGHT * radius.clamp_min(1) / rate, rate / 2
        near, far = (
            bent_distance(depth - nearest, straight, speed) for depth in (self.scene.near, self.scene.far)
        )
        return BentPaths(
            near,
            far,
            self.space,
            rays.origins.t().contiguous(),
            rays.directions.t().contiguous(),
            nearest,
            straight,
            speed,
            self.scale,
            half.new_zeros(3),
            half.new_ones(3),
        )

    def per_scene_unit(self, points: Tensor) -> Tensor | float:
        return self.scale * shrinkage(list(self.warp(points).unbind(1)))

    def across(self, points: Tensor) -> Tensor | float:
        """Lengths across shrink to (2 - 1/m) / m for a largest coordinate m, and 1/m = 2 - 2 |x| in the cube."""
        inverse = shrinkage(list(points.unbind(-1))).sqrt()
        return self.scale * (2 - inverse) * inverse
