"""The standard tests of upsamplers."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from nfcore.errors import UserError
from nfcore.options import Options
from nfcore.plugin.components import Kind
from nfcore.student.light_field import LightField
from nfcore.testing.base import require_short
from nfcore.testing.contract import Broken, described, once, require, require_shape, rule
from nfcore.testing.part import NetworkConformance
from nfcore.testing.sphere import SCENE
from nfcore.testing.student import OctavePoints, ResidualBody, make_uneven, tiny_student

#: Scales to try; all other tests use the first one that the upsampler supports.
SCALES = (2, 4, 3, 8, 1, 5)


class UpsamplerConformance(NetworkConformance):
    """Standard tests of an upsampler."""

    kind: ClassVar[Kind] = "upsampler"
    in_channels: ClassVar[int] = ResidualBody.channels

    @once
    def scale(self) -> int:
        """The first scale that it supports."""
        for scale in SCALES:
            try:
                self.build(self.in_channels, scale)
            except UserError:
                continue
            return scale
        raise UserError(f"upsampler {self.name!r} supports none of the scales {SCALES}")

    def make(self, in_channels: int | None = None) -> Any:
        """Return a new upsampler in eval mode, its norms as if trained."""
        return make_uneven(self.build(in_channels or self.in_channels, self.scale())).eval()

    def student(self) -> LightField:
        """Return a student with the upsampler."""
        encoding = OctavePoints(Options(), SCENE)
        backbone = ResidualBody(Options(), encoding.channels)
        scale = self.scale()
        return tiny_student(encoding, backbone, self.make(), height=4 * scale, width=3 * scale)

    @rule("upsampler.shape")
    @torch.no_grad()
    def test_its_image_has_scale_pixels_per_ray(self) -> None:
        """The grid can have any size."""
        upsampler, scale = self.make(), self.scale()
        for batch, height, width in ((1, 1, 1), (2, 3, 5), (1, 6, 2)):
            image = upsampler(*self.inputs(batch, height, width))
            require_shape(image, (batch, 3, height * scale, width * scale), "an image")

    @rule("upsampler.finite")
    def test_its_image_is_finite_for_large_features(self) -> None:
        """Features a thousand times larger than usual come from a student at the start of its training."""
        self.require_finite_for_large_features()

    @rule("upsampler.range")
    @torch.no_grad()
    def test_its_colours_are_in_0_to_1(self) -> None:
        """This includes features far larger than usual."""
        upsampler = self.make()
        for size in (1.0, 30.0, 1e3):
            image = upsampler(*(size * tensor for tensor in self.inputs())).nan_to_num(0.5)
            require(
                image.min() >= 0 and image.max() <= 1,
                found=f"colours from {float(image.min()):.4g} to {float(image.max()):.4g}",
                right="a sigmoid at the end",
            )

    @rule("upsampler.in-channels")
    @torch.no_grad()
    def test_it_takes_any_number_of_input_features(self) -> None:
        """The user chooses the backbone before it."""
        for in_channels in (1, 6, 50):
            upsampler = self.make(in_channels)
            require(
                upsampler.in_channels == in_channels,
                found=f"in_channels {upsampler.in_channels} of an upsampler made for {in_channels}",
                right="super().__init__(options, in_channels, scale)",
            )
            upsampler(torch.randn(1, in_channels, 2, 2))

    @rule("upsampler.scale")
    @torch.no_grad()
    def test_it_does_a_scale_or_refuses_it(self) -> None:
        """A scale that fails later would waste a distillation."""
        for scale in SCALES:
            try:
                upsampler = self.build(self.in_channels, scale)
            except UserError as error:
                require_short(error, "one or two lines with the scales that fit")
                continue
            except Exception as error:
                raise Broken(f"scale {scale}: {described(error, self.cls)}", "a UserError") from error
            image = upsampler.eval()(*self.inputs(1, 2, 3))
            require(
                image.shape == (1, 3, 2 * scale, 3 * scale) and upsampler.scale == scale,
                found=f"scale {scale} turns 2 x 3 rays into {tuple(image.shape)}",
                right=f"{(1, 3, 2 * scale, 3 * scale)}, or a UserError from the constructor",
            )
