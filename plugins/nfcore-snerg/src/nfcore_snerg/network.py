"""The network of SNeRG: the view-dependent part of a ray's colour (section 4.1), evaluated once per ray.

Its inputs are a 1 for the bias, the diffuse colour on the background, four features, and the direction with its
sines and cosines at four frequencies; a sigmoid of its outputs is added to the colour. The official files have
another order of inputs: see ``files``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nfcore.kernels import network_size

#: Values of a voxel next to its opacity: diffuse colour and features.
VALUES, FEATURES = 7, 4
#: Frequencies of the direction's encoding, and its length.
FREQUENCIES = 4
ENCODING = 3 + 6 * FREQUENCIES
#: The network is evaluated only where at least this share of the light was absorbed.
LEAST_OPACITY = 1 / 255
#: First bias of the outputs: their sigmoid is about exp of this, so that a fit starts with a diffuse scene.
_FIRST_BIAS = -3.0


class Layer(NamedTuple):
    """A linear layer.

    Args:
        weight: (outputs, inputs).
        bias: (outputs,).

    """

    weight: Tensor
    bias: Tensor


class ViewNetwork(nn.Module):
    """Two hidden layers with ReLU, and a sigmoid at the end.

    Args:
        hidden: width of the hidden layers; 16 in the paper.

    Attributes:
        weights: all of them in one vector, ordered as kernels take them: see ``nfcore.kernels.network_forward``.

    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.weights = nn.Parameter(torch.zeros(network_size(1 + VALUES + ENCODING, hidden, 3)))

    @property
    def layers(self) -> tuple[Layer, Layer, Layer]:
        """All layers, in order: views of ``weights``."""
        inputs, hidden = VALUES + ENCODING, self.hidden
        sizes = (hidden, inputs * hidden, hidden * hidden, hidden, 3 * hidden, 3)
        first_bias, first, second, second_bias, last, last_bias = self.weights.split(sizes)
        return (
            Layer(first.view(inputs, hidden).t(), first_bias),
            Layer(second.view(hidden, hidden).t(), second_bias),
            Layer(last.view(3, hidden), last_bias),
        )

    @torch.no_grad()
    def begin(self, generator: torch.Generator) -> None:
        """Initialise the weights."""
        for (weight, bias), gain in zip(self.layers, (1.0, 1.0, 0.1), strict=True):
            drawn = torch.rand(weight.shape, generator=generator) * 2 - 1
            weight.copy_(gain * math.sqrt(3 / weight.shape[1]) * drawn)
            bias.zero_()
        self.layers[-1].bias.fill_(_FIRST_BIAS)

    def forward(self, values: Tensor, directions: Tensor) -> Tensor:
        """Return (n, 3) in [0, 1].

        Args:
            values: (n, 7) colour on the background, and features.
            directions: (n, 3) unit vectors of the scene's world.

        """
        first, second, last = self.layers
        hidden = F.relu(F.linear(torch.cat([values, encode(directions)], 1), *first))
        return F.linear(F.relu(F.linear(hidden, *second)), *last).sigmoid()


def encode(directions: Tensor) -> Tensor:
    """Return (n, 27): unit vectors (n, 3), sin(2^k d) and cos(2^k d) for k = 0 to 3 (NeRF, equation 4)."""
    scaled = torch.cat([directions * 2**k for k in range(FREQUENCIES)], 1)
    return torch.cat([directions, scaled.sin(), scaled.cos()], 1)


def shade(network: ViewNetwork, sums: Tensor, directions: Tensor, background: Tensor) -> Tensor:
    """Return (n, 3), the colours of rays; differentiable.

    Args:
        network: adds what depends on the direction.
        sums: (n, 8) opacity, and values summed along each ray.
        directions: (n, 3) unit vectors of the scene's world.
        background: (3,) RGB.

    """
    opacity = sums[:, :1]
    values = torch.cat([sums[:, 1:4] + (1 - opacity) * background, sums[:, 4:]], 1)
    own = network(values, directions)
    return values[:, :3] + torch.where(opacity >= LEAST_OPACITY, own, 0)
