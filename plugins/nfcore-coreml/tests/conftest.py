"""Small students whose parts are written here, with every kind of op that the first-party parts have."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import nfcore
from nfcore.geometry.orbits import look_at
from nfcore_coreml.evaluator import Package, Program
from nfcore_coreml.exporter import CoreML
from nfcore_coreml.forms import PACKAGE

SCENE = nfcore.Scene(near=2.0, far=6.0, box=((-1.5, -1.5, -1.0), (1.5, 1.5, 1.0)))


class PointEncoding(nfcore.RayEncoding):
    """Three octaves of sine and cosine at four points, between near and far or where the ray is in the box."""

    def __init__(self, scene: nfcore.Scene, *, in_box: bool) -> None:
        super().__init__(nfcore.Options(), scene)
        self.in_box = in_box
        self.channels = 4 * 3 * 7
        self.register_buffer("fractions", torch.linspace(0, 1, 4).reshape(1, 4, 1, 1, 1))
        self.register_buffer("octaves", 2.0 ** torch.arange(3).reshape(1, 1, 3, 1, 1))
        self.register_buffer("box", torch.tensor(scene.box)[:, None, :, None, None])

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        near, far = self.depths(origins, directions) if self.in_box else (self.scene.near, self.scene.far)
        points = origins[:, None] + directions[:, None] * (near + (far - near) * self.fractions)
        points = points.flatten(1, 2)[:, :, None]
        angles = points * self.octaves
        return torch.cat([angles.sin(), angles.cos(), points], 2).flatten(1, 2)

    def depths(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        slopes = torch.where(directions.abs() < 1e-6, 1e-6, directions)
        first, second = (self.box[0] - origins) / slopes, (self.box[1] - origins) / slopes
        near = torch.minimum(first, second).amax(1, keepdim=True).clamp(min=0.0)
        far = torch.maximum(torch.maximum(first, second).amin(1, keepdim=True), near)
        return near[:, None], far[:, None]


class Residual(nn.Module):
    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Body(nfcore.Backbone):
    """Residual blocks of 1x1 convolutions: with batch norm and GELU, or with ReLU alone."""

    def __init__(self, in_channels: int, *, norm: bool) -> None:
        super().__init__(nfcore.Options(), in_channels)
        self.channels = 24

        def block() -> nn.Module:
            layers = [
                nn.Conv2d(24, 24, 1),
                nn.BatchNorm2d(24),
                nn.GELU(),
                nn.Conv2d(24, 24, 1),
                nn.BatchNorm2d(24),
            ]
            return Residual(nn.Sequential(*layers if norm else (layers[0], nn.ReLU(), layers[3])))

        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, 24, 1), nn.GELU() if norm else nn.ReLU(), block(), block()
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


class Tail(nfcore.Upsampler):
    """x6 by transposed convolutions (k4 s2 p1, k3 s3 p0), or x4 by a 3x3 convolution and a pixel shuffle."""

    def __init__(self, in_channels: int, *, transposed: bool) -> None:
        super().__init__(nfcore.Options(), in_channels, 6 if transposed else 4)
        if transposed:
            self.layers = nn.Sequential(
                nn.ConvTranspose2d(in_channels, 16, 4, 2, 1), nn.ConvTranspose2d(16, 8, 3, 3), nn.Conv2d(8, 3, 1)
            )
        else:
            self.layers = nn.Sequential(nn.Conv2d(in_channels, 48, 3, padding=1), nn.PixelShuffle(4))

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features).sigmoid()


def cameras(height: int, width: int) -> nfcore.Cameras:
    eyes = torch.tensor([[3.0, 2.0, 1.0], [-3.5, 1.0, 2.0], [0.5, -4.0, 0.5]])
    poses = look_at(eyes, torch.zeros(3), torch.tensor([0.0, 0.0, 1.0]))
    return nfcore.Cameras(poses, torch.tensor([[60.0, 58.0, width / 2, height / 2]]).repeat(3, 1), height, width)


def assemble(
    encoding: nfcore.RayEncoding, backbone: nfcore.Backbone, upsampler: nfcore.Upsampler
) -> nfcore.LightField:
    """Return a student with a picture in it: contrast as a photo has it, norms away from the identity.

    The logits get a standard deviation of 1. Contrast matters to parity: at 4, fp16 alone costs 10 dB more.
    """
    student = nfcore.LightField(
        encoding, backbone, upsampler, scene=SCENE, cameras=cameras(8 * upsampler.scale, 10 * upsampler.scale)
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in student.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                module.weight.normal_(0, terms_of_a_sum(module) ** -0.5, generator=generator)
                module.bias.normal_(0, 0.2, generator=generator)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
        last = [module for module in student.modules() if isinstance(module, nn.Conv2d)][-1]
        contrast = student.render(student.cameras).logit(eps=1e-6).std()
        last.weight /= contrast
        last.bias /= contrast
    return student.eval()


def terms_of_a_sum(layer: nn.Module) -> float:
    """Return how many products are summed into one output: weights of its inverse as variance keep the scale."""
    if isinstance(layer, nn.ConvTranspose2d):
        return layer.in_channels * layer.kernel_size[0] ** 2 / layer.stride[0] ** 2
    return layer.weight[0].numel()


@pytest.fixture(scope="session")
def plain_student() -> nfcore.LightField:
    """The paper's kind: points from near to far, batch norm and GELU, transposed convolutions."""
    torch.manual_seed(0)
    encoding = PointEncoding(SCENE, in_box=False)
    return assemble(encoding, Body(encoding.channels, norm=True), Tail(24, transposed=True))


@pytest.fixture(scope="session")
def box_student() -> nfcore.LightField:
    """The quick kind: points in the box, ReLU, a pixel shuffle."""
    torch.manual_seed(0)
    encoding = PointEncoding(SCENE, in_box=True)
    return assemble(encoding, Body(encoding.channels, norm=False), Tail(24, transposed=False))


@pytest.fixture
def assembled() -> Callable[..., nfcore.LightField]:
    """``assemble``, for tests that bring their own parts."""
    return assemble


@pytest.fixture(params=["plain_student", "box_student"])
def student(request: pytest.FixtureRequest) -> nfcore.LightField:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def exported(
    plain_student: nfcore.LightField, box_student: nfcore.LightField, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[nfcore.LightField], Path]:
    """The folder with the exported package of a student; to be read only."""
    folders = {}
    for student in (plain_student, box_student):
        folders[student] = tmp_path_factory.mktemp("exported")
        CoreML(CoreML.Options()).export(student, folders[student])
    return lambda student: folders[student]


@pytest.fixture
def psnr() -> Callable[[nfcore.LightField, Path], Tensor]:
    """PSNR of the evaluated package in a folder against torch, one for each camera of the student."""

    def measure(student: nfcore.LightField, folder: Path) -> Tensor:
        program = Program(Package.read(folder / PACKAGE))
        views = [
            program(pose=student.cameras.poses[i : i + 1], intrinsics=student.cameras.intrinsics[i : i + 1])[
                "image"
            ]
            for i in range(len(student.cameras))
        ]
        return -10 * (torch.cat(views) - student.render(student.cameras)).square().mean((1, 2, 3)).log10()

    return measure
