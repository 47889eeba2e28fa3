"""Linear layers that are initialised by a generator, the same on every device."""

from __future__ import annotations

import math

import torch
from torch import nn


class Linear(nn.Linear):
    """A linear layer without values until ``begin``: torch's own would be drawn from the global generator."""

    def reset_parameters(self) -> None:
        """Draw nothing."""

    @torch.no_grad()
    def begin(self, generator: torch.Generator) -> None:
        """Forget all that was learned (Glorot and Bengio 2010, as in NeRF's and Instant-NGP's code)."""
        bound = math.sqrt(6 / (self.in_features + self.out_features))
        self.weight.copy_(bound * (torch.rand(self.weight.shape, generator=generator) * 2 - 1))
        if self.bias is not None:
            self.bias.zero_()
