"""The backbone: residual blocks of pointwise layers, with one skip over all of them (MobileR2L, section 3)."""

from __future__ import annotations

from pydantic import Field, field_validator
from torch import Tensor, nn

import nfcore
from nfcore_mobiler2l.residual import BlockOptions, Layer, ResidualBlock, make_activation, make_layer


class ResidualConv(nfcore.Backbone):
    """A head and (D - 2) / 2 residual blocks of 1x1 convolutions, each ray separately.

    The options cover the paper's ablation of network design (table 4): linear layers; convolutions without
    activation, with ReLU, with GELU, with GELU and batch norm. The last is the paper's choice and the default.

    Args:
        options: depth, width and the kind of block.
        in_channels: number of input features per ray.

    """

    class Options(BlockOptions):
        """Options of the residual backbone."""

        depth: int = Field(
            60,
            ge=4,
            le=4096,
            description="D as the paper counts: head, two layers a block, and the upsampler's last layer; even",
        )
        width: int = Field(256, ge=1, le=8192, description="Features per ray")
        layer: Layer = Field(
            "conv", description="1x1 convolutions, or linear layers on channels-last features (the paper's MLP)"
        )

        @field_validator("depth")
        @classmethod
        def _even(cls, depth: int) -> int:
            if depth % 2:
                raise ValueError(f"should be even, a block has two layers: {depth - 1} or {depth + 1}")
            return depth

    options: Options

    def __init__(self, options: Options, in_channels: int) -> None:
        super().__init__(options, in_channels)
        self.channels = options.width
        self.head = nn.Sequential(
            make_layer(options.layer, in_channels, options.width), make_activation(options.activation)
        )
        blocks = (options.depth - 2) // 2
        self.body = nn.Sequential(*(ResidualBlock(options.width, options, options.layer) for _ in range(blocks)))

    def forward(self, features: Tensor) -> Tensor:
        """Return (b, width, h, w) for (b, c, h, w); see ``Backbone``."""
        if self.options.layer == "conv":
            return self._network(features)
        _, _, height, width = features.shape
        rays = features.permute(0, 2, 3, 1).flatten(0, 2)
        return self._network(rays).reshape(-1, height, width, self.channels).permute(0, 3, 1, 2)

    def _network(self, features: Tensor) -> Tensor:
        head: Tensor = self.head(features)
        body: Tensor = self.body(head)
        return body + head
