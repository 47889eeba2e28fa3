"""What the tests of the exporter share: small students with contrast, and one export of each."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import nfcore
from nfcore import Cameras, LightField, OrbitRegion, Scene

SCENE = Scene(near=2, far=6, box=((-1, -1, -1), (1, 1, 1)))


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def build(encoding, body, upsampler: str, scale: int) -> LightField:
    """A student with weights as uneven as a trained one's."""
    plugins = nfcore.plugins()
    backbone = plugins.build("backbone", "residual-conv", {"depth": 4, "width": 32, **body}, encoding.channels)
    tail = plugins.build("upsampler", upsampler, {}, backbone.channels, scale)
    orbit = OrbitRegion(torch.zeros(3), torch.tensor([0.0, 0, 1]), (4.0, 4.0), (0.4, 0.6))
    height, width = 10 * scale, 12 * scale
    intrinsics = torch.tensor([1.1 * width, 1.2 * width, 0.48 * width, 0.53 * height]).repeat(4, 1)
    student = LightField(
        encoding, backbone, tail, scene=SCENE, cameras=Cameras(orbit.circle(4), intrinsics, height, width)
    )
    for module in student.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, 0.7)
            nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
    assert student.render(student.cameras).std() > 0.05, "an image without contrast would hide a wrong export"
    return student.eval()


@pytest.fixture(scope="session")
def papers():
    torch.manual_seed(0)
    points = nfcore.plugins().build("encoding", "points", {"samples": 4, "octaves": 3}, SCENE)
    return build(points, {}, "transposed-conv", 4)


@pytest.fixture(scope="session")
def guided():
    torch.manual_seed(0)
    encoding = nfcore.plugins().build("encoding", "guided", {"resolution": 16, "steps": 8}, SCENE)
    axis = torch.linspace(-1, 1, 16)
    places = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    inside = places.norm(dim=1) < 0.7
    encoding.geometry.fill(20.0 * inside[:, None])
    encoding.features.occupy(inside, torch.sin(places[inside] @ torch.randn(3, 8) * 3))
    return build(encoding, {"norm": "none", "activation": "relu"}, "pixel-shuffle", 2)


@pytest.fixture(scope="session", params=["papers", "guided"])
def student(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def exporter():
    return nfcore.plugins().build("exporter", "executorch", {})


@pytest.fixture(scope="session")
def exported(exporter, tmp_path_factory):
    """Export a student once, whoever asks: the folder, and what the exporter says of it."""
    made = {}

    def export(student):
        if id(student) not in made:
            folder = tmp_path_factory.mktemp("export")
            made[id(student)] = folder, exporter.export(student, folder)
        return made[id(student)]

    return export
