"""The network of a sparse voxel field: colour from values and the direction that they are seen along."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nfcore.geometry import BASIS_SIZE, spherical_harmonics
from nfcore.kernels import network_size

_OUTPUTS = 3


class Layer(NamedTuple):
    """A linear layer.

    Args:
        weight: (outputs, inputs).
        bias: (outputs,).

    """

    weight: Tensor
    bias: Tensor


class ColourNetwork(nn.Module):
    """Values and spherical harmonics of the direction, two hidden layers with ReLU, three outputs.

    The constant harmonic is left out: the first layer has a bias.

    Args:
        values: how many there are.
        hidden: width of the hidden layers.

    Attributes:
        weights: all of them in one row, ordered as kernels take them: see ``nfcore.kernels.network``.

    """

    def __init__(self, values: int, hidden: int) -> None:
        super().__init__()
        self.inputs, self.hidden = values + BASIS_SIZE - 1, hidden
        self.weights = nn.Parameter(torch.zeros(network_size(1 + self.inputs, hidden, _OUTPUTS)))

    @property
    def layers(self) -> tuple[Layer, Layer, Layer]:
        """All layers, in order; ReLU follows the first two. They are views of ``weights``."""
        inputs, hidden = self.inputs, self.hidden
        sizes = (hidden, inputs * hidden, hidden * hidden, hidden, _OUTPUTS * hidden, _OUTPUTS)
        first_bias, first, second, second_bias, last, last_bias = self.weights.split(sizes)
        return (
            Layer(first.view(inputs, hidden).t(), first_bias),
            Layer(second.view(hidden, hidden).t(), second_bias),
            Layer(last.view(_OUTPUTS, hidden), last_bias),
        )

    @torch.no_grad()
    def begin(self, generator: torch.Generator, last_gain: float) -> None:
        """Forget all that was learned; the last layer's first weights are multiplied with ``last_gain``."""
        for (weight, bias), gain in zip(self.layers, (1.0, 1.0, last_gain), strict=True):
            drawn = torch.rand(weight.shape, generator=generator) * 2 - 1
            weight.copy_(gain * math.sqrt(3 / weight.shape[1]) * drawn)
            bias.zero_()

    def forward(self, sums: Tensor, directions: Tensor) -> Tensor:
        """Return (n, 3) for values (n, v) and unit directions (n, 3)."""
        first, second, last = self.layers
        hidden = F.relu(F.linear(torch.cat([sums, spherical_harmonics(directions)[:, 1:]], 1), *first))
        return F.linear(F.relu(F.linear(hidden, *second)), *last)
