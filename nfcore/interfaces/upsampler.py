"""Upsamplers: from features on the ray grid to the image, several pixels per ray (super-resolution)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from nfcore.options import Options as BaseOptions


class Upsampler(nn.Module, ABC):
    """Maps features on the ray grid to RGB at ``scale`` times its resolution.

    A norm that directly follows its convolution in an ``nn.Sequential`` is folded into it on export.

    Args:
        options: an instance of this class's ``Options``.
        in_channels: number of features per ray, the backbone's ``channels``.
        scale: pixels per ray along each side, 1 or more.

    Raises:
        UserError: from the constructor, for a scale that it does not support.

    >>> class PixelShuffle(nfcore.Upsampler):
    ...     def __init__(self, options, in_channels, scale):
    ...         super().__init__(options, in_channels, scale)
    ...         self.layers = nn.Sequential(nn.Conv2d(in_channels, 3 * scale**2, 1), nn.PixelShuffle(scale))
    ...
    ...     def forward(self, features):
    ...         return self.layers(features).sigmoid()
    >>> PixelShuffle(PixelShuffle.Options(), in_channels=16, scale=4)(torch.zeros(1, 16, 3, 5)).shape
    torch.Size([1, 3, 12, 20])

    """

    Options: ClassVar[type[BaseOptions]] = BaseOptions

    def __init__(self, options: BaseOptions, in_channels: int, scale: int) -> None:
        super().__init__()
        self.options = options
        self.in_channels = in_channels
        self.scale = scale

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Return RGB (b, 3, h * scale, w * scale) in [0, 1] for (b, c', h, w); differentiable."""
