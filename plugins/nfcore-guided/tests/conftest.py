"""What the tests share: teachers of known depth in each kind of scene, and cameras in it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

import nfcore
from nfcore import Cameras, Field, Rays, Rendering, Scene, Teacher

FORWARD_FACING = Scene(near=1, far=8, box=((-8, -4, -8), (8, 4, -1)), forward_facing=True)
BOX = Scene(near=2, far=6, box=((-1, -1, -1), (1, 1, 1)))
UNBOUNDED = Scene(near=0.5, far=40, box=((-1, -1, -1), (1, 1, 1)), unbounded=True)


class Surface(Teacher):
    """An opaque surface; what its depth is along rays (n, 3), the scene's kind decides. No volume."""

    def fit(self, source, budget, reporter) -> None:
        """Do nothing: all is known."""

    def depth(self, rays: Rays) -> Tensor:
        """Return (n,) depths, infinite where nothing is."""
        if self.scene.forward_facing:
            return (-3.0 - rays.origins[:, 2]) / rays.directions[:, 2]
        ball = sphere(rays, 0.6)[0]
        return torch.minimum(ball, sphere(rays, 20.0)[1]) if self.scene.unbounded else ball

    def render(self, rays: Rays) -> Rendering:
        """Return the truth: colour is a smooth function of the place."""
        depth = self.depth(rays)
        hit = depth.isfinite()
        depth = torch.where(hit, depth, 0)
        places = rays.origins + depth[:, None] * rays.directions
        colour = 0.5 + 0.4 * torch.sin(2 * nfcore.Space.of(self.scene).warp(places))
        rgb = torch.where(hit[:, None], colour, torch.ones(3))
        return Rendering(rgb, hit.float(), depth)


class Ball(Surface):
    """The same ball as a volume, with two features at each place."""

    def field(self, points: Tensor) -> Field:
        """Return a dense ball; its features are its x and y."""
        return Field(torch.where(points.norm(dim=1) < 0.6, 50.0, 0.0), points[:, :2].clone())


def sphere(rays: Rays, radius: float) -> tuple[Tensor, Tensor]:
    """Return the depths (n,) where rays enter and leave a sphere around the origin; infinite where they miss."""
    a = rays.directions.square().sum(1)
    b = (rays.origins * rays.directions).sum(1)
    discriminant = b.square() - a * (rays.origins.square().sum(1) - radius**2)
    root = discriminant.clamp(min=0).sqrt()
    return tuple(torch.where(discriminant > 0, (-b + sign * root) / a, torch.inf) for sign in (-1, 1))


@dataclass(frozen=True)
class Case:
    """A scene with a teacher, and cameras in it."""

    scene: Scene
    teacher: Teacher
    cameras: Cameras


def cameras(scene: Scene, n: int = 24, height: int = 40, width: int = 48) -> Cameras:
    """Cameras around the ball, or a few steps from the origin looking along -z."""
    intrinsics = torch.tensor([1.5 * width, 1.5 * width, width / 2, height / 2]).repeat(n, 1)
    if scene.forward_facing:
        poses = torch.eye(3, 4).repeat(n, 1, 1)
        poses[:, :2, 3] = 0.4 * torch.rand(n, 2) - 0.2
        return Cameras(poses, intrinsics, height, width)
    backward = torch.nn.functional.normalize(torch.randn(n, 3), dim=1)
    right = torch.nn.functional.normalize(
        torch.linalg.cross(torch.tensor([[0.1, 0.2, 1.0]]).expand(n, 3), backward), dim=1
    )
    poses = torch.stack([right, torch.linalg.cross(backward, right), backward, 4 * backward], 2)
    return Cameras(poses, intrinsics, height, width)


@pytest.fixture(params=["box", "box as a volume", "forward-facing", "unbounded"])
def case(request) -> Case:
    scene = {"forward-facing": FORWARD_FACING, "unbounded": UNBOUNDED}.get(request.param, BOX)
    make = Ball if request.param == "box as a volume" else Surface
    return Case(scene, make(nfcore.Options(), scene), cameras(scene))


@pytest.fixture(params=[BOX, FORWARD_FACING, UNBOUNDED], ids=["box", "forward-facing", "unbounded"])
def scene(request) -> Scene:
    return request.param


@pytest.fixture
def boxed() -> Case:
    return Case(BOX, Ball(nfcore.Options(), BOX), cameras(BOX))


@pytest.fixture
def prepared():
    """Make a prepared encoding by its options."""

    def make(case: Case, **options):
        encoding = nfcore.plugins().build("encoding", "guided", {"resolution": 32, **options}, case.scene)
        encoding.prepare(case.teacher, case.scene, case.cameras)
        return encoding.eval()

    return make


@pytest.fixture
def student():
    """Make a small student around an encoding, with an uneven network: images with contrast."""

    def make(case: Case, encoding):
        plugins = nfcore.plugins()
        body = plugins.build(
            "backbone", "residual-conv", {"depth": 4, "width": 16, "norm": "none"}, encoding.channels
        )
        tail = plugins.build("upsampler", "pixel-shuffle", {}, body.channels, 2)
        built = nfcore.LightField(encoding, body, tail, scene=case.scene, cameras=case.cameras[:3])
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
        return built.eval()

    return make
