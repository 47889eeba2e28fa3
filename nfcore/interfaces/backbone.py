"""Backbones: the body of the student, at the resolution of the ray grid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from nfcore.options import Options as BaseOptions


class Backbone(nn.Module, ABC):
    """Maps features on the ray grid to features on the same grid.

    A batch norm that directly follows its convolution or linear layer in an ``nn.Sequential`` is folded into it
    on export.

    Args:
        options: an instance of this class's ``Options``.
        in_channels: number of input features per ray, the encoding's ``channels``.

    Attributes:
        channels: number of output features c' per ray.

    >>> class Linear(nfcore.Backbone):
    ...     def __init__(self, options, in_channels):
    ...         super().__init__(options, in_channels)
    ...         self.channels = 16
    ...         self.layer = nn.Conv2d(in_channels, 16, 1)
    ...
    ...     def forward(self, features):
    ...         return self.layer(features)
    >>> Linear(Linear.Options(), in_channels=6)(torch.zeros(2, 6, 3, 4)).shape
    torch.Size([2, 16, 3, 4])

    """

    Options: ClassVar[type[BaseOptions]] = BaseOptions
    channels: int

    def __init__(self, options: BaseOptions, in_channels: int) -> None:
        super().__init__()
        self.options = options
        self.in_channels = in_channels

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Return (b, c', h, w) for (b, c, h, w); differentiable; in eval mode images are independent."""
