"""Small students with weights as uneven as a trained one's: their images have contrast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

import nfcore
from nfcore import Cameras, LightField, Scene

SCENES = {
    "box": Scene(near=2, far=6, box=((-1, -1, -1), (1, 1, 1))),
    "forward-facing": Scene(near=1, far=8, box=((-8, -4, -8), (8, 4, -1)), forward_facing=True),
    "unbounded": Scene(near=0.5, far=100, box=((-1, -1, -1), (1, 1, 1)), unbounded=True),
}


def points_student(
    encoding: Mapping[str, Any] | None = None,
    backbone: Mapping[str, Any] | None = None,
    upsampler: str = "pixel-shuffle",
    scale: int = 4,
    scene: str = "box",
    seed: int = 0,
) -> LightField:
    """A student of the paper's parts."""
    torch.manual_seed(seed)
    plugins, bounds = nfcore.plugins(), SCENES[scene]
    points = plugins.build("encoding", "points", {"samples": 4, "octaves": 3, **(encoding or {})}, bounds)
    return _student(points, {"depth": 6, "width": 64, **(backbone or {})}, upsampler, scale, grid=(5, 7))


def guided_student(backbone: Mapping[str, Any] | None = None) -> LightField:
    """A student with tables, over a ball of smooth features."""
    torch.manual_seed(0)
    guided = nfcore.plugins().build("encoding", "guided", {"resolution": 24, "steps": 12}, SCENES["box"])
    axis = torch.linspace(-1, 1, 24)
    places = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    inside = places.norm(dim=1) < 0.7
    guided.geometry.fill(20.0 * inside[:, None])
    guided.features.occupy(inside, torch.sin(places[inside] @ torch.randn(3, 8) * 3))
    body = {"depth": 4, "width": 32, "norm": "none", **(backbone or {})}
    return _student(guided, body, "pixel-shuffle", 2, grid=(10, 12))


def tilted_cameras(n: int, height: int, width: int, distance: float) -> Cameras:
    """Cameras around ``distance`` on the z axis that look along -z and a little aside."""
    tilt = 0.2 * torch.randn(n, 3, 3)
    rotations, _ = torch.linalg.qr(torch.eye(3) + tilt - tilt.transpose(1, 2))
    rotations = rotations * rotations.diagonal(dim1=1, dim2=2).sign()[:, None]
    positions = 0.3 * torch.randn(n, 3, 1) + torch.tensor([0, 0, distance])[:, None]
    intrinsics = torch.tensor([1.1 * width, 1.2 * width, 0.48 * width, 0.53 * height]).repeat(n, 1)
    return Cameras(torch.cat([rotations, positions], 2), intrinsics, height, width)


def with_uneven_weights(student: LightField) -> LightField:
    """Give ``student`` uneven weights and norms, and see that its images have contrast."""
    for module in student.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, 0.7)
            nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    images = student.render(student.cameras)
    assert images.std() > 0.05, "an image without contrast would hide a wrong export"
    return student.eval()


def _student(
    encoding: nfcore.RayEncoding, backbone: Mapping[str, Any], upsampler: str, scale: int, grid: tuple[int, int]
) -> LightField:
    plugins, scene = nfcore.plugins(), encoding.scene
    body = plugins.build("backbone", "residual-conv", backbone, encoding.channels)
    tail = plugins.build("upsampler", upsampler, {}, body.channels, scale)
    distance = 0.0 if scene.forward_facing or scene.unbounded else 4.0
    views = tilted_cameras(5, grid[0] * scale, grid[1] * scale, distance)
    return with_uneven_weights(LightField(encoding, body, tail, scene=scene, cameras=views))
