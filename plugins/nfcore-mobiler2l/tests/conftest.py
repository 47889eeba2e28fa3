"""What the tests of the student's parts share: scenes, and students built by name."""

from __future__ import annotations

import pytest
import torch

import nfcore
from nfcore import Cameras, LightField, Scene


@pytest.fixture
def scene():
    return Scene(near=2, far=6, box=((-1, -1, -1), (1, 1, 1)))


@pytest.fixture
def forward_facing():
    # A camera of 90 x 53 degrees at the origin sees x = +-8, y = +-4 at the far end.
    return Scene(near=1, far=8, box=((-8, -4, -8), (8, 4, -1)), forward_facing=True)


@pytest.fixture
def look_at():
    """Make n cameras on a circle of radius 4 that look at the origin, 0.3 above it."""

    def make(n: int, height: int, width: int) -> Cameras:
        angle = torch.arange(n) / n + 0.1
        position = torch.stack([4 * angle.cos(), 4 * angle.sin(), torch.full((n,), 0.3)], 1)
        z = torch.nn.functional.normalize(position, dim=1)
        x = torch.nn.functional.normalize(
            torch.linalg.cross(torch.tensor([[0.0, 0.0, 1.0]]).expand(n, 3), z), dim=1
        )
        poses = torch.stack([x, torch.linalg.cross(z, x), z, position], 2)
        intrinsics = torch.tensor([1.2 * width, 1.2 * width, width / 2, height / 2]).repeat(n, 1)
        return Cameras(poses, intrinsics, height, width)

    return make


@pytest.fixture
def build(scene, look_at):
    """Build a small student by name, its batch norms with the statistics of a trained network's kind."""

    def make(
        encoding=None, backbone=None, upsampler="transposed-conv", upsampler_options=None, scale=4, scene=scene
    ) -> LightField:
        plugins = nfcore.plugins()
        points = plugins.build("encoding", "points", {"samples": 3, "octaves": 2, **(encoding or {})}, scene)
        body = plugins.build(
            "backbone", "residual-conv", {"depth": 6, "width": 12, **(backbone or {})}, points.channels
        )
        tail = plugins.build("upsampler", upsampler, upsampler_options or {}, body.channels, scale)
        student = LightField(points, body, tail, scene=scene, cameras=look_at(3, 4 * scale, 6 * scale))
        for module in student.modules():
            if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.3, 2)
        return student.eval()

    return make
