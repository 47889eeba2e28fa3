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
