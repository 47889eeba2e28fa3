"""How much an image suffers from fewer bits in one layer, layer by layer, measured in torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nfcore.exports.deploy import DeployedLightField, DeployedNetwork
from nfcore.interfaces import Exporter
from nfcore.interfaces.reporting import Reporter
from nfcore.scene.cameras import Cameras, ray_grid
from nfcore.student.complexity import macs
from nfcore.student.light_field import LightField

#: Multiply-adds of each measurement: a quarter of one image of the paper's student, many views of a small one's.
_MACS = 12_000_000_000
#: Layers with fewer weights are left alone: palettes and scales would be much of what is saved.
_LEAST_WEIGHTS = 1024


@dataclass(frozen=True)
class Sensitivity:
    """What fewer bits do to one layer.

    Args:
        weights: how many the layer has.
        errors: by bits per weight, the mean squared error of the student's images, colours in [0, 1], when this
            layer alone has its weights rounded to as many.

    """

    weights: int
    errors: Mapping[int, float]

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Sensitivity:
        """Return the one that JSON holds, where all keys are texts."""
        return cls(data["weights"], {int(bits): error for bits, error in data["errors"].items()})


@torch.no_grad()
def sensitivities(
    student: LightField, exporter: Exporter[LightField], cameras: Cameras, reporter: Reporter | None = None
) -> dict[str, Sensitivity]:
    """Return what each of the exporter's bit widths does to each layer of the network, by the layer's module name.

    One layer at a time is rounded as the exporter would, and the image compared with that of the uncompressed
    student: Zhou, Moosavi-Dezfooli, Cheung and Frossard, "Adaptive Quantization for Deep Neural Network" (AAAI
    2018). Norms are folded first, as in what is exported.

    Args:
        student: the student.
        exporter: rounds weights; its ``bits`` are what is tried.
        cameras: from where to look. Of a large image only the middle is computed.
        reporter: told of each layer.

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
    """Return the layers with weights worth compressing, by the name that each has in the student."""
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
    """Return the features of the rays of all cameras, each cropped around its middle to its share of the work."""
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
