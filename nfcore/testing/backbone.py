"""The standard tests of backbones."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from nfcore.options import Options
from nfcore.plugin.components import Kind
from nfcore.student.light_field import LightField
from nfcore.testing.contract import require, require_shape, rule
from nfcore.testing.part import NetworkConformance
from nfcore.testing.sphere import SCENE
from nfcore.testing.student import OctavePoints, make_uneven, tiny_student


class BackboneConformance(NetworkConformance):
    """Standard tests of a backbone."""

    kind: ClassVar[Kind] = "backbone"
    in_channels: ClassVar[int] = OctavePoints.channels

    def make(self, in_channels: int | None = None) -> Any:
        """Return a new backbone in eval mode, its norms as if trained."""
        return make_uneven(self.build(in_channels or self.in_channels)).eval()

    def student(self) -> LightField:
        """Return a student with the backbone."""
        return tiny_student(OctavePoints(Options(), SCENE), self.make())

    @rule("backbone.shape")
    @torch.no_grad()
    def test_it_keeps_the_grid_and_gives_its_channels(self) -> None:
        """The grid can have any size."""
        backbone = self.make()
        for batch, height, width in ((1, 1, 1), (2, 3, 5), (1, 6, 2)):
            features = backbone(*self.inputs(batch, height, width))
            require_shape(features, (batch, backbone.channels, height, width), "features")

    @rule("backbone.finite")
    def test_its_output_is_finite_for_large_features(self) -> None:
        """Features a thousand times larger than usual come from a student at the start of its training."""
        self.require_finite_for_large_features()

    @rule("backbone.in-channels")
    @torch.no_grad()
    def test_it_takes_any_number_of_input_features(self) -> None:
        """The user chooses the encoding before it."""
        for in_channels in (1, 6, 50):
            backbone = self.make(in_channels)
            require(
                backbone.in_channels == in_channels,
                found=f"in_channels {backbone.in_channels} of a backbone made for {in_channels}",
                right="super().__init__(options, in_channels)",
            )
            features = backbone(torch.randn(1, in_channels, 2, 2))
            require(
                features.shape == (1, backbone.channels, 2, 2),
                found=f"{in_channels} input features give {tuple(features.shape)}",
                right=f"{(1, backbone.channels, 2, 2)}",
            )
