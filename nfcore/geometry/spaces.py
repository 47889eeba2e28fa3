"""A bounded space for every kind of scene: the cube [-1, 1]^3, and how rays are sampled in it.

Scene representations (a voxel grid, a hash grid, an encoding's features) need bounded coordinates, and samples
that are dense where something is visible. The three kinds of scenes differ only in these:

- a scene in a box is scaled to the cube; rays are sampled from their entry into the box to their exit;
- a forward-facing scene is warped to NDC (NeRF, appendix C); rays are sampled from the near plane to infinity;
- an unbounded scene is contracted (Mip-NeRF 360, equation 10, with the maximum norm, as in MERF, equation 8): its
  box fills the inner half of the cube, everything beyond is in the shell around it; rays are sampled from near
  to far.

All is plain arithmetic on tensors of the rays' rank, so that exporters can trace it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from nfcore.geometry.boxes import box_depths
from nfcore.geometry.ndc import far_face_ratios, slope, to_ndc, to_near_plane
from nfcore.kernels.records import BOX, CONTRACTED, NDC, SpaceRecord
from nfcore.scene.bounds import Scene

# Depths in NDC are unbounded: they are clamped at this many times ``near``.
_FARTHEST = 1e4


class Space(ABC):
    """A scene's bounded space.

    ``dim`` is the axis of the three coordinates: -1 for rays (n, 3), 1 for (b, 3, h, w). ``fractions`` in [0, 1],
    from the first to the last sample of a ray, are along that axis: (S,) or (n, S) for rays (n, 3); (1, S, 1, 1)
    or (b, S, h, w) for rays (b, 3, h, w). All results are differentiable.

    >>> space = Space.of(nfcore.Scene(near=2, far=6, box=((-1, -1, -1), (1, 1, 1))))
    >>> origin, direction = torch.tensor([[0.0, 0.0, 4.0]]), torch.tensor([[0.0, 0.0, -1.0]])
    >>> space.depths(origin, direction, torch.tensor([0.0, 0.5, 1.0]))
    tensor([[3., 4., 5.]])

    Args:
        scene: the bounds of the scene.

    """

    kind: ClassVar[int]
    #: Of NDC: what x / -z and y / -z are multiplied with.
    ratios: tuple[float, float] = (1.0, 1.0)

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.centre = [(low + high) / 2 for low, high in zip(*scene.box, strict=True)]
        self.half = [(high - low) / 2 for low, high in zip(*scene.box, strict=True)]

    @staticmethod
    def of(scene: Scene) -> Space:
        """Return the space for the scene's kind.

        Raises:
            UserError: a forward-facing scene that is not along -z of the world.

        """
        if scene.forward_facing:
            return _NdcSpace(scene)
        return _ContractedSpace(scene) if scene.unbounded else _BoxSpace(scene)

    def warp(self, points: Tensor, dim: int = -1) -> Tensor:
        """Map world points (.., 3, ..), scene units, to the cube; points outside of the space map outside."""
        return torch.cat(self._warp(list(torch.chunk(points, 3, dim))), dim)

    def unwarp(self, points: Tensor, dim: int = -1) -> Tensor:
        """Map points (.., 3, ..) of the cube to the world, scene units: the inverse of ``warp``."""
        return torch.cat(self._unwarp(list(torch.chunk(points, 3, dim))), dim)

    @abstractmethod
    def depths(self, origins: Tensor, directions: Tensor, fractions: Tensor, dim: int = -1) -> Tensor:
        """Return the depths (.., S, ..) of samples, scene units; they do not decrease along ``fractions``."""

    def coordinates(self, origins: Tensor, directions: Tensor, fractions: Tensor, dim: int = -1) -> list[Tensor]:
        """Return x, y and z in the cube, (.., S, ..) each, of the samples at ``fractions``."""
        depths = self.depths(origins, directions, fractions, dim)
        return self.at(origins, directions, depths, dim)

    def at(self, origins: Tensor, directions: Tensor, depths: Tensor, dim: int = -1) -> list[Tensor]:
        """Return x, y and z in the cube, (.., S, ..) each, of the samples at ``depths`` (.., S, ..)."""
        starts, moves = torch.chunk(origins, 3, dim), torch.chunk(directions, 3, dim)
        world = [start + depths * move for start, move in zip(starts, moves, strict=True)]
        return self._warp(world)

    def record(self) -> SpaceRecord:
        """Return the space as kernels take it; see ``nfcore.kernels``.

        >>> Space.of(Scene(near=2, far=6, box=((-1, -1, -1), (1, 1, 3)))).record().half
        (np.float32(1.0), np.float32(1.0), np.float32(2.0))
        """
        low, high = (_singles(corner) for corner in self.scene.box)
        near, far = _singles((self.scene.near, self.scene.far))
        centre, half, ratios = (_singles(numbers) for numbers in (self.centre, self.half, self.ratios))
        return SpaceRecord(self.kind, near, far, low, high, centre, half, ratios)

    @abstractmethod
    def _warp(self, xyz: list[Tensor]) -> list[Tensor]:
        """Map three coordinates of world points to the cube."""

    @abstractmethod
    def _unwarp(self, xyz: list[Tensor]) -> list[Tensor]:
        """Map three coordinates of points of the cube to the world."""


def _singles(numbers: Iterable[float]) -> tuple[Any, ...]:
    return tuple(np.float32(number) for number in numbers)


class _BoxSpace(Space):
    """The scene's box, scaled to the cube."""

    kind = BOX

    def depths(self, origins: Tensor, directions: Tensor, fractions: Tensor, dim: int = -1) -> Tensor:
        entry, exit_ = self._span(origins, directions, dim)
        return entry + (exit_ - entry) * fractions

    def _span(self, origins: Tensor, directions: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        """Return where rays enter and leave the box, (.., 1, ..) each."""
        shape = [1] * origins.ndim
        shape[dim] = 3
        lower, upper = (origins.new_tensor(corner).reshape(shape) for corner in self.scene.box)
        return box_depths(origins, directions, lower, upper, dim)

    def _warp(self, xyz: list[Tensor]) -> list[Tensor]:
        return [(x - centre) / half for x, centre, half in zip(xyz, self.centre, self.half, strict=True)]

    def _unwarp(self, xyz: list[Tensor]) -> list[Tensor]:
        return [x * half + centre for x, centre, half in zip(xyz, self.centre, self.half, strict=True)]


class _ContractedSpace(_BoxSpace):
    """The contraction: the box is the inner half of the cube, the rest of the world the shell around it."""

    kind = CONTRACTED

    def depths(self, origins: Tensor, directions: Tensor, fractions: Tensor, dim: int = -1) -> Tensor:
        """Even steps until the ray leaves the box, then even steps in disparity."""
        near, far = self.scene.near, self.scene.far
        _, exit_ = self._span(origins, directions, dim)
        bend = exit_.clamp(near * 1.001, far)
        # g(t) = t up to the bend, then 2 bend - bend^2 / t: continuous with its derivative, as the contraction is.
        last = 2 * bend - bend**2 / far
        grown = near + (last - near) * fractions
        beyond = bend**2 / (2 * bend - grown).clamp_min(1e-9)
        return torch.where(grown <= bend, grown, beyond)

    def _warp(self, xyz: list[Tensor]) -> list[Tensor]:
        inner = super()._warp(xyz)
        largest = torch.maximum(torch.maximum(inner[0].abs(), inner[1].abs()), inner[2].abs()).clamp_min(1.0)
        return [x * ((2 - 1 / largest) / largest / 2) for x in inner]

    def _unwarp(self, xyz: list[Tensor]) -> list[Tensor]:
        doubled = [2 * x for x in xyz]
        norm = torch.maximum(torch.maximum(doubled[0].abs(), doubled[1].abs()), doubled[2].abs()).clamp_min(1.0)
        # |x| = 2 - 1/m has m = 1 / (2 - |x|): the cube's faces are at infinity.
        largest = 1 / (2 - norm).clamp_min(1e-6)
        return super()._unwarp([x * (largest / norm) for x in doubled])


class _NdcSpace(Space):
    """NDC: the frustum beyond the near plane."""

    kind = NDC

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.ratios = far_face_ratios(scene)

    def depths(self, origins: Tensor, directions: Tensor, fractions: Tensor, dim: int = -1) -> Tensor:
        """Return depths that are even in NDC; the last one is finite."""
        near = self.scene.near
        behind = near / (1 - fractions).clamp_min(1 / _FARTHEST) - near
        return to_near_plane(origins, directions, near, dim) - behind / slope(directions, dim)

    def coordinates(self, origins: Tensor, directions: Tensor, fractions: Tensor, dim: int = -1) -> list[Tensor]:
        starts, moves = to_ndc(origins, directions, self.scene.near, self.ratios, dim)
        pairs = zip(torch.chunk(starts, 3, dim), torch.chunk(moves, 3, dim), strict=True)
        return [start + fractions * move for start, move in pairs]

    def _warp(self, xyz: list[Tensor]) -> list[Tensor]:
        x, y, z = xyz
        depth = (-z).clamp_min(1e-6)
        return [self.ratios[0] * x / depth, self.ratios[1] * y / depth, 1 - 2 * self.scene.near / depth]

    def _unwarp(self, xyz: list[Tensor]) -> list[Tensor]:
        x, y, z = xyz
        depth = 2 * self.scene.near / (1 - z).clamp_min(2 / _FARTHEST)
        return [x * depth / self.ratios[0], y * depth / self.ratios[1], -depth]
