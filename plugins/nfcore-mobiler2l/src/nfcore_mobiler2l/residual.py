"""The residual block that backbone and upsampler share (MobileR2L, section 3)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

import nfcore

Layer = Literal["conv", "linear"]
Activation = Literal["gelu", "relu", "none"]
Norm = Literal["batch", "none"]


class BlockOptions(nfcore.Options):
    """Options of residual blocks."""

    activation: Activation = Field(
        "gelu", description="Between the two layers of a block; ReLU is faster on a CPU"
    )
    norm: Norm = Field(
        "batch",
        description="After each layer of a block. Batch norm needs 4 views per step or more; "
        "without norm each block starts as the identity",
    )


class ResidualBlock(nn.Module):
    """Layer, norm, activation, layer, norm; plus the input.

    Without norm the last layer is initialised to zero, so that a deep stack starts as the identity and learns from
    the first step. With batch norm it is not, as in the reference.

    Args:
        channels: features in and out.
        options: activation and norm.
        layer: 1x1 convolutions on (b, c, h, w), or linear layers on (n, c).

    """

    def __init__(self, channels: int, options: BlockOptions, layer: Layer = "conv") -> None:
        super().__init__()
        first, last = make_layer(layer, channels, channels), make_layer(layer, channels, channels)
        if options.norm == "none":
            for parameter in last.parameters():
                nn.init.zeros_(parameter)
        # The norm is directly after its layer, where the core's fold_norms finds it.
        self.branch = nn.Sequential(
            first,
            *_norm(options.norm, layer, channels),
            make_activation(options.activation),
            last,
            *_norm(options.norm, layer, channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape; differentiable."""
        residual: Tensor = self.branch(features)
        return features + residual


def make_layer(layer: Layer, in_channels: int, out_channels: int) -> nn.Conv2d | nn.Linear:
    """Return a 1x1 convolution, or the linear layer that computes the same on channels-last features."""
    return nn.Conv2d(in_channels, out_channels, 1) if layer == "conv" else nn.Linear(in_channels, out_channels)


def make_activation(activation: Activation) -> nn.Module:
    """Return a new activation by name."""
    classes: dict[Activation, type[nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU, "none": nn.Identity}
    return classes[activation]()


def _norm(norm: Norm, layer: Layer, channels: int) -> list[nn.Module]:
    if norm == "none":
        return []
    return [nn.BatchNorm2d(channels) if layer == "conv" else nn.BatchNorm1d(channels)]
