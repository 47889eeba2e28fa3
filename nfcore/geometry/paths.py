"""Rays as paths through a domain: straight lines in a box or in NDC, bent ones where the world is contracted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from nfcore.geometry.spaces import Space
from nfcore.kernels.records import PATH_SIZE
from nfcore.kernels.records import PathPart as Part

# Depths of unbounded scenes are clamped at this many times ``near``.
_FARTHEST = 1e4
# Stands in for a smaller component of a direction, where a division would overflow.
_LEAST_COMPONENT = 1e-9


@dataclass(frozen=True)
class Paths(ABC):
    """n paths, measured in the domain's units of length.

    Args:
        near: (n,) distance along the path where it begins.
        far: (n,) distance where it ends; not beyond ``near`` where there is nothing to see.

    """

    near: Tensor
    far: Tensor

    def __len__(self) -> int:
        return len(self.near)

    @abstractmethod
    def in_units(self, low: Tensor, unit: Tensor) -> Self:
        """Return the same paths with coordinates counted from ``low`` (3,) in units of ``unit`` (3,)."""

    @abstractmethod
    def along(self, distance: Tensor, path: Tensor | None = None) -> Iterator[Tensor]:
        """Yield x, y, z in the domain at ``distance`` (m, k) along the paths ``path`` (m,), or along all.

        Axis by axis, as whole rows of memory are quicker to work on than triples.
        """

    @abstractmethod
    def clipped(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return near and far (n,) within an axis-aligned box; where that is slow, bounds of them."""

    @abstractmethod
    def depth(self, distance: Tensor, path: Tensor) -> Tensor:
        """Return depths (m, ...), in the rays' ``t``, at ``distance`` (m, ...) along the paths ``path`` (m,)."""

    def mean_depth(self, distance: Tensor, opacity: Tensor) -> Tensor:
        """Return (n,) the depth of each path's mean sample, in the rays' ``t``: 0 where nothing is.

        The mean is taken over distance, which is even in disparity where a scene is unbounded: in a mean of
        depths, the little that is absorbed near infinity would outweigh everything else.

        Args:
            distance: (n,) sum of the samples' distances times their weights.
            opacity: (n,) sum of the weights.

        """
        every = torch.arange(len(self), device=distance.device)
        depth = self.depth(distance / opacity.clamp(min=1e-10), every)
        return torch.where(opacity > 0, depth, 0).clamp(min=0)

    @abstractmethod
    def stretch(self, distance: Tensor, path: Tensor) -> Tensor | None:
        """Return the optical depth of a unit of distance per density, at ``distance`` (m, k); None: 1 everywhere.

        It makes the density at a point the same for all directions; see ``Domain``.
        """

    @abstractmethod
    def records(self, near: Tensor, far: Tensor) -> Tensor:
        """Return the paths from ``near`` to ``far`` (n,) as kernels take them, transposed: (PATH_SIZE, n).

        See ``nfcore.kernels.PathPart``. Coordinates must be in cells of the grid that is marched
        through; those of bent paths are computed from the cube.
        """


@dataclass(frozen=True)
class StraightPaths(Paths):
    """Straight lines.

    Args:
        origins: (3, n) where distance is 0.
        directions: (3, n) change of coordinates with distance.
        length: (n,) distance in one unit of the rays' ``t``.

    """

    origins: Tensor
    directions: Tensor
    length: Tensor

    def in_units(self, low: Tensor, unit: Tensor) -> Self:
        """Return the same paths in other units."""
        origins, directions = (self.origins - low[:, None]) / unit[:, None], self.directions / unit[:, None]
        return replace(self, origins=origins, directions=directions)

    def along(self, distance: Tensor, path: Tensor | None = None) -> Iterator[Tensor]:
        """Yield x, y, z at ``distance`` along the paths."""
        for origin, direction in zip(self.origins, self.directions, strict=True):
            begin, move = (origin, direction) if path is None else (origin[path], direction[path])
            yield torch.addcmul(begin[:, None], distance, move[:, None])

    def clipped(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Slab method (Kay and Kajiya 1986)."""
        tiny = torch.full_like(self.directions, _LEAST_COMPONENT)
        inverse = 1 / torch.where(self.directions.abs() < tiny, tiny, self.directions)
        first, second = ((corner[:, None] - self.origins) * inverse for corner in (low, high))
        enter, leave = torch.minimum(first, second).amax(0), torch.maximum(first, second).amin(0)
        return torch.maximum(enter, self.near), torch.minimum(leave, self.far)

    def depth(self, distance: Tensor, path: Tensor) -> Tensor:
        """Return the depths at ``distance`` along the paths."""
        return distance / _per_sample(self.length[path], distance)

    def stretch(self, distance: Tensor, path: Tensor) -> Tensor | None:
        """Return the optical depth of a unit of distance per density."""
        return None

    def records(self, near: Tensor, far: Tensor) -> Tensor:
        """Return the paths as kernels take them."""
        records = near.new_empty(PATH_SIZE, len(self))
        records[Part.NEAR], records[Part.FAR], records[Part.STRETCH] = near, far, 1
        records[Part.ORIGIN : Part.ORIGIN + 3], records[Part.DIRECTION : Part.DIRECTION + 3] = (
            self.origins,
            self.directions,
        )
        return records


@dataclass(frozen=True)
class NdcPaths(StraightPaths):
    """Rays of a forward-facing scene: straight in NDC as well, from its near plane to infinity (NeRF, appendix C).

    Args:
        to_plane: (n,) depth of the near plane, in the rays' ``t``.
        plane_depth: (n,) growth of ``t`` from one plane to the one twice as far, at the near plane.
        slant: (n,) ``stretch``, which is the same all along a path.

    """

    to_plane: Tensor
    plane_depth: Tensor
    slant: Tensor

    def depth(self, distance: Tensor, path: Tensor) -> Tensor:
        """Return the depths at ``distance`` along the paths."""
        fraction = distance / _per_sample(self.length[path], distance)
        planes = 1 / (1 - fraction).clamp_min(1 / _FARTHEST) - 1
        return _per_sample(self.to_plane[path], distance) + planes * _per_sample(self.plane_depth[path], distance)

    def stretch(self, distance: Tensor, path: Tensor) -> Tensor | None:
        """Return the optical depth of a unit of distance per density."""
        return _per_sample(self.slant[path], distance).expand_as(distance)

    def records(self, near: Tensor, far: Tensor) -> Tensor:
        """Return the paths as kernels take them."""
        records = super().records(near, far)
        records[Part.STRETCH] = self.slant
        return records


@dataclass(frozen=True)
class BentPaths(Paths):
    """Rays of an unbounded scene through the contracted world.

    Distance is even in ``t`` for ``straight`` to either side of the point where a ray is nearest to the box's
    centre, and even in disparity from that point beyond: about as fast as the contraction shrinks the world.

    Args:
        space: contracts the world.
        origins: (3, n) scene units.
        directions: (3, n) scene units.
        nearest: (n,) ``t`` where a ray is nearest to the centre.
        straight: (n,) half of the straight part, in ``t``.
        speed: (n,) distance in one unit of ``t`` in the straight part.
        scale: the domain's units in a scene unit, in the box.
        low: (3,) what coordinates are counted from.
        unit: (3,) what they are counted in.

    """

    space: Space
    origins: Tensor
    directions: Tensor
    nearest: Tensor
    straight: Tensor
    speed: Tensor
    scale: float
    low: Tensor
    unit: Tensor

    def in_units(self, low: Tensor, unit: Tensor) -> Self:
        """Return the same paths in other units."""
        return replace(self, low=self.low + low * self.unit, unit=self.unit * unit)

    def along(self, distance: Tensor, path: Tensor | None = None) -> Iterator[Tensor]:
        """Yield x, y, z at ``distance`` along the paths."""
        for i, coordinate in enumerate(self._cube(distance, path)):
            yield (coordinate - self.low[i]) / self.unit[i]

    def clipped(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """As they are: something is seen beyond the box nearly everywhere."""
        return self.near, self.far

    def depth(self, distance: Tensor, path: Tensor) -> Tensor:
        """Return the depths at ``distance`` along the paths."""
        bend = _per_sample((self.straight * self.speed)[path], distance)
        within = distance.abs().minimum(bend)
        # g(x) = x up to the bend b, then 2 b - b^2 / x; this is its inverse.
        beyond = bend**2 / (2 * bend - distance.abs()).maximum(bend / _FARTHEST)
        along = distance.sign() * torch.where(distance.abs() > bend, beyond, within)
        return _per_sample(self.nearest[path], distance) + along / _per_sample(self.speed[path], distance)

    def stretch(self, distance: Tensor, path: Tensor) -> Tensor | None:
        """Return the optical depth of a unit of distance per density."""
        # Beyond the bend, g(x) of ``depth`` is at 2 b - b^2 / x: the slope of its inverse there is (x / b)^2.
        bend = _per_sample((self.straight * self.speed)[path], distance)
        slope = 1 / (2 - distance.abs() / bend).clamp(1 / _FARTHEST, 1)
        shrunk = shrinkage(self._cube(distance, path))
        length = (self.directions.norm(dim=0) * self.scale / self.speed)[path]
        return _per_sample(length, distance) * shrunk * slope**2

    def records(self, near: Tensor, far: Tensor) -> Tensor:
        """Return the paths as kernels take them."""
        low, high = (near.new_tensor(corner)[:, None] for corner in self.space.scene.box)
        half = (high - low) / 2
        records = near.new_empty(PATH_SIZE, len(self))
        records[Part.NEAR], records[Part.FAR], records[Part.NEAREST] = near, far, self.nearest
        records[Part.ORIGIN : Part.ORIGIN + 3] = (self.origins - low - half) / half
        records[Part.DIRECTION : Part.DIRECTION + 3] = self.directions / half
        records[Part.STRETCH] = self.directions.norm(dim=0) * self.scale / self.speed
        records[Part.BEND], records[Part.PER_DEPTH] = self.straight * self.speed, 1 / self.speed
        return records

    def _cube(self, distance: Tensor, path: Tensor | None) -> list[Tensor]:
        """Return x, y and z in the cube, (m, k) each."""
        every = torch.arange(len(self), device=distance.device)
        depth = self.depth(distance, every if path is None else path)
        rays = [self.origins, self.directions]
        origins, directions = rays if path is None else [rows.index_select(1, path) for rows in rays]
        cube = self.space.at(origins[..., None], directions[..., None], depth[None], 0)
        return [coordinate[0] for coordinate in cube]


def bent_distance(depth: Tensor, straight: Tensor, speed: Tensor) -> Tensor:
    """Return how far along its path a ray is at ``depth`` (n,) beyond the point nearest to the centre."""
    bent = depth.sign() * (2 * straight - straight**2 / depth.abs().maximum(straight))
    return speed * torch.where(depth.abs() > straight, bent, depth)


def shrinkage(cube: list[Tensor]) -> Tensor:
    """Return how much lengths along the radius shrink at points of the contracted world, 1 within the box.

    The contraction takes a largest coordinate of m to 2 - 1/m (Mip-NeRF 360, equation 10), whose slope is 1/m^2;
    the cube is half as large as that, so m = 1 / (2 - 2 |x|).
    """
    largest = torch.maximum(torch.maximum(cube[0].abs(), cube[1].abs()), cube[2].abs())
    return (2 - 2 * largest).clamp(1 / _FARTHEST, 1) ** 2


def _per_sample(per_path: Tensor, values: Tensor) -> Tensor:
    """Return (m,) with as many axes as ``values`` (m, ...) has."""
    return per_path.view(-1, *[1] * (values.ndim - 1))
