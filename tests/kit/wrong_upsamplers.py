"""For each rule of upsamplers, one that breaks it and no other."""

from __future__ import annotations

import right
from torch import Tensor
from wrong_options import wrong_options
from wrong_parts import wrong_networks, wrong_parts

from nfcore.testing import UpsamplerConformance


class OutOfRange(right.Upsampler):
    def forward(self, features: Tensor) -> Tensor:
        return 1.5 * super().forward(features)


class OddScales(right.Upsampler):
    def __init__(self, options, in_channels: int, scale: int) -> None:
        super().__init__(options, in_channels, scale)
        if scale == 3:
            raise ValueError("no")


WRONG = {
    **wrong_options(right.Upsampler),
    **wrong_parts(right.Upsampler),
    **wrong_networks(right.Upsampler, "upsampler"),
    "upsampler.range": OutOfRange,
    "upsampler.scale": OddScales,
}
KIT, RIGHT = UpsamplerConformance, right.Upsampler
