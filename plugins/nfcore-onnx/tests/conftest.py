"""What the tests of the exporter share: small students with contrast, and how far an export is from torch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import nfcore
from nfcore import Cameras, LightField, Scene
from nfcore.exports.parity import compare, shortfall
from nfcore.pipeline import Reference

VARIANTS = {
    "paper": {"upsampler": "transposed-conv"},
    "box-linear-x3": {"encoding": {"span": "box"}, "backbone": {"layer": "linear"}, "scale": 3},
    "forward-facing": {"backbone": {"norm": "none", "activation": "relu"}, "forward_facing": True},
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def cameras(n: int, height: int, width: int, distance: float) -> Cameras:
    """Cameras around ``distance`` on the z axis that look along -z and a little aside."""
    tilt = 0.2 * torch.randn(n, 3, 3)
    rotations, _ = torch.linalg.qr(torch.eye(3) + tilt - tilt.transpose(1, 2))
    rotations = rotations * rotations.diagonal(dim1=1, dim2=2).sign()[:, None]
    positions = 0.3 * torch.randn(n, 3, 1) + torch.tensor([0, 0, distance])[:, None]
    intrinsics = torch.tensor([1.1 * width, 1.2 * width, 0.48 * width, 0.53 * height]).repeat(n, 1)
    return Cameras(torch.cat([rotations, positions], 2), intrinsics, height, width)


def make_student(
    encoding=None, backbone=None, upsampler="pixel-shuffle", scale=4, forward_facing=False, seed=0
) -> LightField:
    """A student by name: weights and norms as uneven as a trained one's, images with contrast."""
    torch.manual_seed(seed)
    if forward_facing:
        scene = Scene(near=1, far=8, box=((-8, -4, -8), (8, 4, -1)), forward_facing=True)
    else:
        scene = Scene(near=2, far=6, box=((-1, -1, -1), (1, 1, 1)))
    plugins = nfcore.plugins()
    points = plugins.build("encoding", "points", {"samples": 4, "octaves": 3, **(encoding or {})}, scene)
    body = plugins.build(
        "backbone", "residual-conv", {"depth": 6, "width": 64, **(backbone or {})}, points.channels
    )
    tail = plugins.build("upsampler", upsampler, {}, body.channels, scale)
    views = cameras(5, 5 * scale, 7 * scale, 0.0 if forward_facing else 4.0)
    return as_if_trained(LightField(points, body, tail, scene=scene, cameras=views))


def make_guided_student() -> LightField:
    """A student with tables, over a ball of smooth features."""
    torch.manual_seed(0)
    scene = Scene(near=2, far=6, box=((-1, -1, -1), (1, 1, 1)))
    plugins = nfcore.plugins()
    guided = plugins.build("encoding", "guided", {"resolution": 24, "steps": 12}, scene)
    axis = torch.linspace(-1, 1, 24)
    places = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    inside = places.norm(dim=1) < 0.7
    guided.geometry.fill(20.0 * inside[:, None])
    guided.features.occupy(inside, torch.sin(places[inside] @ torch.randn(3, 8) * 3))
    body = plugins.build("backbone", "residual-conv", {"depth": 4, "width": 32, "norm": "none"}, guided.channels)
    tail = plugins.build("upsampler", "pixel-shuffle", {}, body.channels, 2)
    return as_if_trained(LightField(guided, body, tail, scene=scene, cameras=cameras(5, 20, 24, 4.0)))


def as_if_trained(student: LightField) -> LightField:
    """Give ``student`` uneven weights, and see that its images have contrast."""
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


@pytest.fixture(scope="session")
def students():
    return {name: make_student(**options) for name, options in VARIANTS.items()}


@pytest.fixture(scope="session", params=VARIANTS)
def student(request, students):
    return students[request.param]


@pytest.fixture(scope="session")
def papers(students):
    return students["paper"]


@pytest.fixture(scope="session")
def guided():
    return make_guided_student()


@pytest.fixture(scope="session")
def make():
    return make_student


@pytest.fixture(scope="session")
def exporter():
    return lambda **options: nfcore.plugins().build("exporter", "onnx", options)


@pytest.fixture(scope="session")
def exported(exporter, tmp_path_factory):
    """Export a student once, whoever asks for it."""
    folders = {}

    def export(student, **options):
        chosen = exporter(**options)
        key = (id(student), chosen.options.model_dump_json())
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("export")
            chosen.export(student, folders[key])
        return folders[key]

    return export


@pytest.fixture(scope="session")
def misses_floor(exporter):
    """Say whether the file in a folder misses the parity floor against torch, from all cameras of the student."""

    def misses(student, folder, **options) -> bool:
        chosen = exporter(**options)
        parity = compare(Reference(student), chosen.load(folder)).parity
        return shortfall(parity, chosen.tolerance) is not None

    return misses
