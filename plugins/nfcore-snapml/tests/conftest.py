"""What the tests of the exporter share: small students with contrast."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import nfcore
from nfcore import Cameras, LightField, Scene

VARIANTS = {
    "paper": {"upsampler": "transposed-conv"},
    "box-linear-x3": {"encoding": {"span": "box"}, "backbone": {"layer": "linear"}, "scale": 3},
    "forward-facing": {"backbone": {"norm": "none", "activation": "relu"}, "scene": "forward-facing"},
    "unbounded": {"encoding": {"span": "box", "include_input": False}, "scene": "unbounded"},
}
SCENES = {
    "box": Scene(near=2, far=6, box=((-1, -1, -1), (1, 1, 1))),
    "forward-facing": Scene(near=1, far=8, box=((-8, -4, -8), (8, 4, -1)), forward_facing=True),
    "unbounded": Scene(near=0.5, far=100, box=((-1, -1, -1), (1, 1, 1)), unbounded=True),
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


def make_student(encoding=None, backbone=None, upsampler="pixel-shuffle", scale=4, scene="box") -> LightField:
    """A student by name: weights and norms as uneven as a trained one's, images with contrast."""
    torch.manual_seed(0)
    plugins, bounds = nfcore.plugins(), SCENES[scene]
    points = plugins.build("encoding", "points", {"samples": 4, "octaves": 3, **(encoding or {})}, bounds)
    body = plugins.build(
        "backbone", "residual-conv", {"depth": 6, "width": 48, **(backbone or {})}, points.channels
    )
    tail = plugins.build("upsampler", upsampler, {}, body.channels, scale)
    views = cameras(4, 5 * scale, 7 * scale, 4.0 if scene == "box" else 0.0)
    student = LightField(points, body, tail, scene=bounds, cameras=views)
    for module in student.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, 0.7)
            nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    assert student.render(student.cameras).std() > 0.05, "an image without contrast would hide a wrong export"
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
def make():
    return make_student


@pytest.fixture(scope="session")
def exporter():
    return lambda **options: nfcore.plugins().build("exporter", "snapml", options)


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
