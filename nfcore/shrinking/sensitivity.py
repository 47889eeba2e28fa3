"""The sensitivity of the image to fewer bits in each layer, measured in torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from pydantic import RootModel
from torch import Tensor, nn

from nfcore.exports.deploy import DeployedLightField, DeployedNetwork
from nfcore.interfaces import Exporter
from nfcore.interfaces.reporting import Reporter
from nfcore.io.records import Name
from nfcore.scene.cameras import Cameras, ray_grid
from nfcore.student.complexity import macs
from nfcore.student.light_field import LightField

#: Multiply-adds per measurement: a quarter of one image of the paper's student, or many views of a small one.
_MACS = 12_000_000_000
#: Layers with fewer weights are not compressed: their palettes and scales would take most of the saving.
_LEAST_WEIGHTS = 1024


@dataclass(frozen=True)
class Sensitivity:
    """The sensitivity of one layer.

    Args:
        weights: its number of weights.
        errors: mean squared error of the student's images, colours in [0, 1], by bits per weight of this layer
            when only its weights are rounded.

    """

    weights: int
    errors: Mapping[int, float]


class Sensitivities(RootModel[dict[Name, Sensitivity]]):
    """The sensitivities of a student's layers, by name, as the cache has them."""


@torch.no_grad()
def sensitivities(
    student: LightField, exporter: Exporter[LightField], cameras: Cameras, reporter: Reporter | None = None
) -> dict[str, Sensitivity]:
    """Return the sensitivity of each layer of the network to the exporter's bit widths, by its module name.

    One layer at a time is rounded as by the exporter, and the image compared with that of the uncompressed
    student: Zhou, Moosavi-Dezfooli, Cheung and Frossard, "Adaptive Quantization for Deep Neural Network" (AAAI
    2018). Norms are folded first, as in what is exported.

    Args:
        student: the student.
        exporter: rounds weights to each of its ``bits``.
        cameras: cameras to render; of a large image only the middle is computed.
        reporter: called for each layer.

    """
    reporter = reporter or Reporter()
    image = DeployedLightField(student).image
    layers = _layers(image)
    features = _features(student, cameras)
    exact = image(features)
    reporter.start(len(layers), "layer")
    found = {}
    for done, (name, layer) in enumerate(layers.items()):
        weight = layer.weight
        errors = {}
        for bits in exporter.bits:
            layer.weight = nn.Parameter(exporter.rounded(weight, bits).to(weight), requires_grad=False)
            errors[bits] = float((image(features) - exact).square().mean())
        layer.weight = weight
        found[name] = Sensitivity(weight.numel(), errors)
        reporter.step(done + 1)
    return found


def _layers(image: DeployedNetwork) -> dict[str, nn.Conv2d | nn.ConvTranspose2d | nn.Linear]:
    """Return the layers that are worth compressing, by their names in the student."""
    parts = {"network.0": "backbone", "network.1": "upsampler"}
    return {
        name.replace(prefix, part, 1): module
        for name, module in image.named_modules()
        for prefix, part in parts.items()
        if name.startswith(prefix)
        and isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
        and module.weight.numel() >= _LEAST_WEIGHTS
    }


def _features(student: LightField, cameras: Cameras) -> Tensor:
    """Return the features of the rays of all cameras, each cropped around its middle to its share of ``_MACS``."""
    scale = student.scale
    height, width = student.grid
    share = min(1.0, (_MACS / (macs(student) * len(cameras))) ** 0.5)
    rows, columns = max(1, round(height * share)), max(1, round(width * share))
    corner = [
        torch.full((len(cameras),), (n - part) // 2 * scale) for n, part in ((height, rows), (width, columns))
    ]
    crop = cameras.cropped(corner[0], corner[1], rows * scale, columns * scale)
    rays = ray_grid(crop.poses, crop.intrinsics, crop.height, crop.width, scale)
    features: Tensor = student.encoding(*rays)
    return features
