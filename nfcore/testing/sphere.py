"""The kit's scene: a shaded sphere, with known colour, opacity and depth along any ray."""

from __future__ import annotations

import functools
import math
from typing import Self

import torch
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore.geometry.orbits import OrbitRegion
from nfcore.interfaces import RaySource, Rendering, Split, Teacher, Views
from nfcore.options import Options as BaseOptions
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras, Rays

RADIUS = 0.6
#: Not white, to detect components that assume white.
BACKGROUND = (0.9, 0.75, 0.6)
SCENE = Scene(
    near=2.0, far=6.0, box=((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)), background=BACKGROUND, forward_facing=False
)
FORWARD_FACING = Scene(
    near=1.0, far=8.0, box=((-8.0, -4.0, -8.0), (8.0, 4.0, -1.0)), background=BACKGROUND, forward_facing=True
)
SIDE = 24
_REGION = OrbitRegion(
    target=torch.zeros(3), up=torch.tensor([0.0, 0.0, 1.0]), radius=(3.8, 4.2), height=(-0.8, 0.8)
)
_COUNTS: dict[Split, int] = {"train": 12, "val": 1, "test": 2}
#: Rays per pixel along each side: photos average over a pixel's area.
_FINE = 4


def sphere_rendering(rays: Rays) -> Rendering:
    """Return the ground truth along rays (n, 3): a colour that varies smoothly with the normal."""
    a = (rays.directions**2).sum(1)
    b = (rays.origins * rays.directions).sum(1)
    discriminant = b**2 - a * ((rays.origins**2).sum(1) - RADIUS**2)
    depth = (-b - discriminant.clamp(min=0).sqrt()) / a
    hit = (discriminant > 0) & (depth > 0)
    normal = (rays.origins + depth[:, None] * rays.directions) / RADIUS
    rgb = torch.where(hit[:, None], 0.45 + 0.35 * normal, torch.tensor(BACKGROUND, device=a.device))
    return Rendering(rgb.clamp(0, 1), hit.float(), torch.where(hit, depth, 0))


class ShadedSphere(RaySource):
    """Photos of the sphere, by default 24 x 24 pixels."""

    class Options(BaseOptions):
        """Options of the shaded sphere."""

        alpha: bool = Field(True, description="Whether the photos have alpha")

    options: Options

    @classmethod
    def with_alpha(cls, alpha: bool = True) -> Self:
        """Return the source at its own size, its photos with or without alpha."""
        return cls(cls.Options(alpha=alpha))

    @property
    def name(self) -> str:
        """``shaded-sphere``."""
        return "shaded-sphere"

    @property
    def scene(self) -> Scene:
        """A box of two units around the sphere."""
        return SCENE

    def views(self, split: Split) -> Views:
        """Return the photos of one split, each pixel the mean of 4 x 4 rays."""
        side = self.image_size or SIDE
        poses, intrinsics, images, alpha = (tensor.clone() for tensor in _photos(split, side))
        names = tuple(f"{split}/{i}" for i in range(len(poses)))
        return Views(Cameras(poses, intrinsics, side, side), images, alpha if self.options.alpha else None, names)

    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` cameras around the sphere with a field of view of 25 degrees."""
        return _cameras(n, self.image_size or SIDE, generator)


# Teachers are fitted again and again by the kit: these took a quarter of its time.
@functools.lru_cache(maxsize=8)
def _photos(split: Split, side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return poses, intrinsics, images and alpha of one split, to be copied: who gets photos may change them."""
    n = _COUNTS[split]
    cameras = _cameras(n, side, torch.Generator().manual_seed(len(split)))
    fine = Cameras(cameras.poses, cameras.intrinsics * _FINE, side * _FINE, side * _FINE)
    seen = sphere_rendering(fine.rays().flat())
    images = seen.rgb.view(n, side, _FINE, side, _FINE, 3).mean((2, 4))
    return cameras.poses, cameras.intrinsics, images, seen.opacity.view(n, side, _FINE, side, _FINE).mean((2, 4))


def _cameras(n: int, side: int, generator: torch.Generator) -> Cameras:
    return cameras_at(_REGION.sample(n, generator), side, side)


class SphereTeacher(Teacher):
    """A teacher of the sphere that needs no fit, for preparing encodings."""

    def fit(self, source: RaySource, budget: nfcore.Budget, reporter: nfcore.Reporter) -> None:
        """Do nothing: there is nothing to learn."""

    def render(self, rays: Rays) -> Rendering:
        """Return the ground truth."""
        return sphere_rendering(rays)


def cameras_at(poses: Tensor, height: int, width: int, angle: float = math.radians(25)) -> Cameras:
    """Return cameras at ``poses`` (n, 3, 4) whose height spans ``angle`` radians."""
    focal = 0.5 * height / math.tan(0.5 * angle)
    intrinsics = torch.tensor([focal, focal, width / 2, height / 2])
    return Cameras(poses, intrinsics.repeat(len(poses), 1), height, width)


def cameras_around(n: int, height: int, width: int, seed: int = 0) -> Cameras:
    """Return ``n`` cameras that look at the sphere."""
    return cameras_at(_REGION.sample(n, torch.Generator().manual_seed(seed)), height, width)


def extreme_rays() -> Rays:
    """Return valid rays (n, 3) for which naive geometry divides by zero or overflows.

    Parallel to each axis, through the box's centre, along its faces and past it; from inside; from a million
    units away; nearly parallel to an axis; and away from the scene.
    """
    axes = torch.cat([torch.eye(3), -torch.eye(3)])
    tilted = axes + 1e-12
    origins, directions = [], []
    for along in (axes, tilted, axes + 0.3):
        for start in (torch.zeros(3), torch.ones(3), torch.tensor([0.5, -0.25, 3.0]), torch.full((3,), 7.0)):
            origins.append(start.expand(6, 3))
            directions.append(along)
        for distance in (4.0, 1e6):
            origins.append(-distance * along)
            directions.append(along)
            origins.append(distance * along)
            directions.append(along)
    return Rays(torch.cat(origins), torch.cat(directions))
