"""The network of a deferred field: what a ray's colour owes to its direction, from all that is summed along it."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from nfcore.geometry import BASIS_SIZE, spherical_harmonics
from nfcore.kernels import Floats


class RayNetwork(nn.Module):
    """Values and spherical harmonics of the direction, two hidden layers with ReLU, a colour that is added.

    The constant harmonic is left out: the first layer has a bias.

    Args:
        values: how many are summed along a ray.
        hidden: width of the hidden layers.

    """

    def __init__(self, values: int, hidden: int) -> None:
        super().__init__()
        widths = (values + BASIS_SIZE - 1, hidden, hidden, 3)
        # skip_init: torch's own initialisation would draw from the global generator.
        layers: list[nn.Linear] = [
            skip_init(nn.Linear, inputs, outputs) for inputs, outputs in itertools.pairwise(widths)
        ]
        self.first, self.second, self.last = layers

    @property
    def layers(self) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
        """All layers, in order; ReLU follows the first two."""
        return self.first, self.second, self.last

    def begin(self, generator: torch.Generator) -> None:
        """Forget all that was learned: the last layer's weights are small, so that it adds little at first."""
        for layer, gain in zip(self.layers, (1.0, 1.0, 0.1), strict=True):
            drawn = torch.rand(layer.weight.shape, generator=generator) * 2 - 1
            layer.weight.data = (gain * math.sqrt(3 / layer.in_features) * drawn).to(layer.weight.device)
            layer.bias.data = torch.zeros_like(layer.bias.data)

    def forward(self, sums: Tensor, directions: Tensor) -> Tensor:
        """Return (n, 3) for values summed along rays (n, v) and their unit directions (n, 3)."""
        hidden = F.relu(self.first(torch.cat([sums, spherical_harmonics(directions)[:, 1:]], 1)))
        colour: Tensor = self.last(F.relu(self.second(hidden)))
        return colour

    def weights(self) -> Floats:
        """Return all weights as kernels take them: see ``nfcore.kernels.network``."""
        first, second = (layer.weight.t() for layer in (self.first, self.second))
        parts = (self.first.bias, first, second, self.second.bias, self.last.weight, self.last.bias)
        flat: Floats = torch.cat([part.detach().reshape(-1) for part in parts]).numpy()
        return flat

    def set_gradients(self, flat: Floats) -> None:
        """Set the parameters' gradients from that of ``weights``."""
        begin = 0
        for layer, parameter in (
            (self.first, self.first.bias), (self.first, self.first.weight),
            (self.second, self.second.weight), (self.second, self.second.bias),
            (self.last, self.last.weight), (self.last, self.last.bias),
        ):  # fmt: skip
            part = torch.from_numpy(flat[begin : begin + parameter.numel()])
            transposed = layer is not self.last and parameter.ndim == 2
            parameter.grad = part.view(parameter.shape[::-1]).t() if transposed else part.view_as(parameter)
            begin += parameter.numel()
