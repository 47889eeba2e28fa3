"""Backbones from papers that the kit must not reject: fast sines, stopped gradients, complex numbers."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

import nfcore

OMEGA = 30.0


class Siren(nfcore.Backbone):
    """Sines of linear layers (Sitzmann et al. 2020, section 3.2: omega 30 and its initialisation)."""

    channels = 256
    depth = 5

    def __init__(self, options: nfcore.Options, in_channels: int) -> None:
        super().__init__(options, in_channels)
        sizes = [in_channels, *[self.channels] * self.depth]
        self.layers = nn.ModuleList(nn.Conv2d(before, after, 1) for before, after in pairwise(sizes))
        with torch.no_grad():
            for number, layer in enumerate(self.layers):
                bound = math.sqrt(6 / layer.in_channels) / OMEGA if number else 1 / layer.in_channels
                layer.weight.uniform_(-bound, bound)

    def forward(self, features: Tensor) -> Tensor:
        for layer in self.layers:
            features = self.activation(layer(features))
        return features

    def activation(self, values: Tensor) -> Tensor:
        return torch.sin(OMEGA * values)


class Finer(Siren):
    """Sines whose frequency rises with the input (Liu et al. 2024, equation 5)."""

    def activation(self, values: Tensor) -> Tensor:
        return torch.sin(OMEGA * (values.abs() + 1) * values)


class Rounded(Siren):
    """Activations in eighths, with a straight-through estimator (Bengio et al. 2013)."""

    channels, depth = 16, 2

    def activation(self, values: Tensor) -> Tensor:
        values = values.tanh()
        return values + ((8 * values).round() / 8 - values).detach()


class DetachedAmplitude(Siren):
    """Features over their amplitude, through which no gradient flows."""

    channels, depth = 16, 2

    def forward(self, features: Tensor) -> Tensor:
        amplitude = features.square().mean(1, keepdim=True).add(1).sqrt().detach()
        return super().forward(features / amplitude)


class Wire(Siren):
    """Complex Gabor wavelets (Saragadam et al. 2023, equation 4), which torch has not in half precision."""

    channels, depth = 16, 2

    def activation(self, values: Tensor) -> Tensor:
        wave = torch.polar(torch.exp(-values.square()), 10 * values)
        return wave.real + wave.imag
