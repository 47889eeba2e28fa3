"""A coloured sphere whose photos are computed: colour, opacity and depth of any ray are known exactly."""

import math

import pytest
import torch

import nfcore
from nfcore import Cameras, RaySource, Scene, Views

RADIUS = 0.6
DISTANCE = 4.0


def look_at(positions):
    """Poses (n, 3, 4) of cameras at ``positions`` (n, 3) that look at the origin, z up."""
    backward = positions / positions.norm(dim=1, keepdim=True)
    right = torch.linalg.cross(torch.tensor([0.0, 0.0, 1.0]).expand_as(backward), backward)
    right = right / right.norm(dim=1, keepdim=True)
    up = torch.linalg.cross(backward, right)
    return torch.stack([right, up, backward, positions], 2)


class Sphere(RaySource):
    """24x24 photos of the sphere, each pixel the mean of 4x4 rays."""

    radius = RADIUS

    def __init__(self, with_alpha=True, box=((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))):
        super().__init__(nfcore.Options(), 24)
        self.with_alpha = with_alpha
        self.box = box

    @property
    def name(self):
        return "sphere"

    @property
    def scene(self):
        return Scene(near=2.0, far=6.0, box=self.box)

    def views(self, split):
        n = {"train": 12, "val": 1, "test": 2}[split]
        cameras = self.sample_cameras(n, torch.Generator().manual_seed(len(split)))
        fine = Cameras(cameras.poses, cameras.intrinsics * 4, 96, 96)
        colour, hit, _ = self.trace(fine.rays().flat())
        images = colour.view(n, 24, 4, 24, 4, 3).mean((2, 4))
        alpha = hit.float().view(n, 24, 4, 24, 4).mean((2, 4))
        return Views(cameras, images, alpha if self.with_alpha else None, tuple(str(i) for i in range(n)))

    def trace(self, rays):
        """Colour (n, 3) on white, hit (n,) and depth in t (n,) of rays (n, 3); the normal gives the colour."""
        a = (rays.directions**2).sum(1)
        b = (rays.origins * rays.directions).sum(1)
        c = (rays.origins**2).sum(1) - RADIUS**2
        discriminant = b**2 - a * c
        hit = discriminant > 0
        depth = (-b - discriminant.clamp(min=0).sqrt()) / a
        normal = (rays.origins + depth[:, None] * rays.directions) / RADIUS
        return torch.where(hit[:, None], 0.5 + 0.4 * (4 * normal).sin(), 1.0), hit, torch.where(hit, depth, 0)

    def sample_cameras(self, n, generator):
        z = torch.linspace(-0.8, 0.8, n)
        angle = torch.arange(n) * math.pi * (3 - math.sqrt(5)) + torch.rand((), generator=generator)
        around = (1 - z**2).sqrt()
        positions = DISTANCE * torch.stack([around * angle.cos(), around * angle.sin(), z], 1)
        return Cameras(look_at(positions), torch.tensor([[36.0, 36.0, 12.0, 12.0]]).repeat(n, 1), 24, 24)


@pytest.fixture(scope="session")
def sphere():
    return Sphere()


@pytest.fixture(scope="session")
def sphere_source():
    """The class, for spheres with other boxes or without alpha."""
    return Sphere
