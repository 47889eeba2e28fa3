"""For each standard test of upsamplers, one that fails it and no other."""

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


NETWORKS = wrong_networks(right.Upsampler)
NETWORKS["test_its_image_has_scale_pixels_per_ray"] = NETWORKS.pop("test_it_keeps_the_grid_and_gives_its_channels")

WRONG = {
    **wrong_options(right.Upsampler),
    **wrong_parts(right.Upsampler),
    **NETWORKS,
    "test_its_colours_are_in_0_to_1": OutOfRange,
    "test_it_does_a_scale_or_refuses_it": OddScales,
}
KIT, RIGHT = UpsamplerConformance, right.Upsampler
