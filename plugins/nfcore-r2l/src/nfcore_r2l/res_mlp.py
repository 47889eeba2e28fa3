"""R2L's network: a deep residual MLP that processes each ray separately (R2L, section 3.2)."""

from __future__ import annotations

from pydantic import Field, field_validator
from torch import Tensor, nn

import nfcore


class ResMLP(nfcore.Backbone):
    """A head, (D - 2) / 2 residual blocks of two linear layers, and one skip over all blocks.

    R2L (Wang et al., ECCV 2022), section 3.2, in the layout of its public code: a linear layer and ReLU; blocks of
    linear, ReLU, linear plus their input, with nothing after the sum; the head's output added to the last block's.
    Neither norm nor dropout. D counts the last layer to RGB too, which is the upsampler's here: scale 1 of
    ``nfcore-mobiler2l/transposed-conv`` is just that layer and its sigmoid.

    The layers run as 1x1 convolutions on (b, c, h, w). They are equivalent to linear layers on rays, with the
    same weights, and fast on phones.

    Args:
        options: depth and width.
        in_channels: number of input features per ray; in the paper 16 points, 3 coordinates and 21 values: 1008.

    """

    class Options(nfcore.Options):
        """Options of R2L's residual MLP."""

        depth: int = Field(
            88,
            ge=4,
            le=4096,
            description="D as the paper counts: head, two layers a block, layer to RGB; even",
        )
        width: int = Field(256, ge=1, le=8192, description="Features per ray, W")

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
        self.head = nn.Sequential(nn.Conv2d(in_channels, options.width, 1), nn.ReLU())
        self.body = nn.Sequential(*(Block(options.width) for _ in range((options.depth - 2) // 2)))

    def forward(self, features: Tensor) -> Tensor:
        """Return (b, width, h, w) for (b, c, h, w); see ``Backbone``."""
        head: Tensor = self.head(features)
        body: Tensor = self.body(head)
        return body + head


class Block(nn.Module):
    """Two layers with a ReLU between them; plus the input.

    Args:
        width: features in and out.

    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape; differentiable."""
        change: Tensor = self.layers(features)
        return features + change
