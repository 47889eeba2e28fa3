"""The kit's tiny student, for testing parts and exporters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nfcore.interfaces import Backbone, RayEncoding, Upsampler
from nfcore.options import Options
from nfcore.scene.bounds import Scene
from nfcore.student.light_field import LightField
from nfcore.testing.sphere import SCENE, cameras_around


class OctavePoints(RayEncoding):
    """Four points between near and far with three octaves of sine and cosine, which need float32 rays."""

    channels = 4 * 3 * 6
    depths: Tensor
    octaves: Tensor

    def __init__(self, options: Options, scene: Scene) -> None:
        super().__init__(options, scene)
        depths = torch.linspace(scene.near, scene.far, 4).reshape(1, 4, 1, 1, 1)
        self.register_buffer("depths", depths, persistent=False)
        self.register_buffer("octaves", 2.0 ** torch.arange(3).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return features (b, 72, h, w)."""
        points, octaves = OctavePoints.halves(self)  # not those of a subclass
        coordinates = points(origins, directions)
        batch, count, height, width = coordinates.shape
        features: Tensor = octaves(coordinates.reshape(batch, 1, count, height * width))
        return features.transpose(1, 2).reshape(batch, -1, height, width)

    def halves(self) -> tuple[nn.Module, nn.Module]:
        """Return the points, and sines and cosines of each of their coordinates."""
        return _Coordinates(self.depths), _Octaves(self.octaves)


class _Coordinates(nn.Module):
    """Rays, two (b, 3, h, w), to the coordinates (b, 12, h, w) of their points."""

    def __init__(self, depths: Tensor) -> None:
        super().__init__()
        self.depths = depths

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        return (origins[:, None] + directions[:, None] * self.depths).flatten(1, 2)


class _Octaves(nn.Module):
    """Coordinates (b, 1, p, q) to sines and cosines of their octaves, (b, 6, p, q)."""

    def __init__(self, octaves: Tensor) -> None:
        super().__init__()
        self.octaves = octaves

    def forward(self, coordinates: Tensor) -> Tensor:
        angles = coordinates * self.octaves
        return torch.cat([angles.sin(), angles.cos()], 1)


class ResidualBody(Backbone):
    """A head and one residual block of 1x1 convolutions with batch norm and GELU."""

    channels = 16

    def __init__(self, options: Options, in_channels: int) -> None:
        super().__init__(options, in_channels)
        self.head = nn.Sequential(nn.Conv2d(in_channels, 16, 1), nn.ReLU())
        self.block = nn.Sequential(
            nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16), nn.GELU(), nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return features (b, 16, h, w)."""
        head: Tensor = self.head(features)
        body: Tensor = self.block(head)
        return head + body


class TransposedTail(Upsampler):
    """A transposed convolution with kernel and stride ``scale``, a 3x3 convolution and a sigmoid."""

    def __init__(self, options: Options, in_channels: int, scale: int) -> None:
        super().__init__(options, in_channels, scale)
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(in_channels, 8, scale, scale),
            nn.ReLU(),
            nn.Conv2d(8, 3, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return RGB (b, 3, h * scale, w * scale)."""
        image: Tensor = self.layers(features)
        return image


def tiny_student(
    encoding: RayEncoding | None = None,
    backbone: Backbone | None = None,
    upsampler: Upsampler | None = None,
    *,
    scene: Scene = SCENE,
    height: int = 12,
    width: int = 8,
) -> LightField:
    """Return a student with three cameras, in eval mode; parts that are not given are the kit's own.

    Weights and norms are drawn from torch's default generator, as uneven as those of a trained student, so that
    a wrong export is visible in the image. ``height`` and ``width`` are pixels, multiples of the scale.
    """
    encoding = encoding or OctavePoints(Options(), scene)
    backbone = backbone or ResidualBody(Options(), encoding.channels)
    upsampler = upsampler or TransposedTail(Options(), backbone.channels, 2)
    student = LightField(encoding, backbone, upsampler, scene=scene, cameras=cameras_around(3, height, width))
    make_uneven(student)
    return student.eval()


@torch.no_grad()
def make_uneven(module: nn.Module) -> nn.Module:
    """Set statistics of batch norms and biases of layers as in a trained network; return the module."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            if part.running_mean is not None and part.running_var is not None:
                part.running_mean.normal_(0, 0.3)
                part.running_var.uniform_(0.5, 2)
            if part.affine:
                part.weight.uniform_(0.5, 1.5)
                part.bias.normal_(0, 0.3)
        elif isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and part.bias is not None:
            part.bias.normal_(0, 0.3)
    return module
