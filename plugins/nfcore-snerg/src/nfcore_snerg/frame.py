"""The viewer's world, and the grid of voxels in it: y is up, the scene's box is around the origin."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore import Rays, Scene
from nfcore.scene import Vector

Shape = tuple[int, int, int]

#: Longest side of the box in the viewer's world: its camera starts 4.1 units from the origin. Twice the
#: ``snerg_box_scale`` of the official code.
LONGEST = 3.0
#: Voxels along the longest side, at most: more would take gigabytes to index.
MOST_RESOLUTION = 512
#: Rotates directions of the viewer's world to those of ours, and back: ``worldspace_T_opengl`` for z up.
ROTATION = ((-1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0))


@dataclass(frozen=True)
class Frame:
    """How the viewer's world is placed in the scene's: p_viewer = scale * rotation (p - centre).

    Args:
        centre: of the scene's box, scene units.
        scale: units of the viewer in a scene unit.

    """

    centre: Vector
    scale: float

    @classmethod
    def of(cls, scene: Scene) -> Frame:
        """Return the frame of a scene in a box.

        >>> Frame.of(Scene(near=2, far=6, box=((0, 0, 0), (1, 2, 6))))
        Frame(centre=(0.5, 1.0, 3.0), scale=0.5)
        """
        low, high = scene.box
        x, y, z = ((a + b) / 2 for a, b in zip(low, high, strict=True))
        return cls((x, y, z), LONGEST / max(b - a for a, b in zip(low, high, strict=True)))

    def rays(self, rays: Rays) -> tuple[Tensor, Tensor]:
        """Return origins (n, 3) in the viewer's world, and directions (n, 3) as unit vectors of it."""
        rotation = rays.origins.new_tensor(ROTATION)
        origins = (rays.origins - rays.origins.new_tensor(self.centre)) * self.scale
        directions = rays.directions / rays.directions.norm(dim=1, keepdim=True)
        return origins @ rotation, directions @ rotation

    def points(self, points: Tensor) -> Tensor:
        """Return points (n, 3) of the viewer's world in the scene's."""
        return points @ points.new_tensor(ROTATION) / self.scale + points.new_tensor(self.centre)


@dataclass(frozen=True)
class VoxelGrid:
    """Cubic voxels over the scene's box, in blocks, of which the viewer skips the empty ones.

    Args:
        low: the corner of voxel (0, 0, 0), in the viewer's world.
        voxel: side of a voxel; also the length of a step.
        shape: voxels along x, y and z.
        block: voxels along the side of a block, without the padding of one voxel on each side.

    """

    low: Vector
    voxel: float
    shape: Shape
    block: int

    @classmethod
    def of(cls, scene: Scene, resolution: int, block: int) -> VoxelGrid:
        """Return the grid with ``resolution`` voxels along the box's longest side.

        >>> VoxelGrid.of(Scene(near=2, far=6, box=((0, 0, 0), (1, 2, 6))), 12, 4).shape
        (2, 12, 4)
        """
        voxel, scale = LONGEST / resolution, Frame.of(scene).scale
        x, y, z = ((b - a) * scale for a, b in zip(*scene.box, strict=True))
        sides = (x, z, y)
        nx, ny, nz = (math.ceil(side / voxel - 1e-4) for side in sides)
        low = (-sides[0] / 2, -sides[1] / 2, -sides[2] / 2)
        return cls(low, voxel, (nx, ny, nz), block)

    @property
    def blocks(self) -> Shape:
        """Blocks along x, y and z."""
        x, y, z = (-(-side // self.block) for side in self.shape)
        return x, y, z

    def rays(self, origins: Tensor) -> Tensor:
        """Return origins (n, 3) of the viewer's world in voxels from the grid's corner."""
        return (origins - origins.new_tensor(self.low)) / self.voxel

    def centres(self, voxels: Tensor) -> Tensor:
        """Return (n, 3) float32: the centres of voxels (n, 3) int, in the viewer's world."""
        return (voxels + 0.5) * self.voxel + torch.tensor(self.low)
