"""The upsamplers: features of a ray grid to an image with several pixels per ray (MobileR2L, section 3)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from torch import Tensor, nn

import nfcore
from nfcore_mobiler2l.residual import BlockOptions, ResidualBlock


class TransposedConv(nfcore.Upsampler):
    """Stages of a transposed convolution and residual blocks; at the end a 1x1 convolution and a sigmoid.

    The prime factors of the scale are its stages, from small to large: x8 is 2, 2, 2 and x12 is 2, 2, 3, as in the
    reference. A stage of 2 has kernel 4, stride 2, padding 1; one of an odd factor f has kernel f, stride f and no
    padding. No activation follows a transposed convolution. A scale of 1 has no stage. All scales are supported.

    Args:
        options: channels of the stages, and their blocks.
        in_channels: number of features per ray.
        scale: pixels per ray along each side, 1 or more.

    """

    class Options(BlockOptions):
        """Options of the transposed-convolution upsampler."""

        channels: tuple[Annotated[int, Field(ge=1, le=8192)], ...] = Field(
            (64, 64, 16),
            min_length=1,
            description="Channels of the stages of x8. With fewer stages the last ones are used, so that layers "
            "at the image's size stay narrow; with more, the last is repeated",
        )
        blocks: int = Field(2, ge=0, le=256, description="Residual blocks after each stage")

    options: Options

    def __init__(self, options: Options, in_channels: int, scale: int) -> None:
        super().__init__(options, in_channels, scale)
        factors = prime_factors(scale)
        self.stages = nn.Sequential()
        for factor, channels in zip(factors, stage_channels(options.channels, len(factors)), strict=True):
            blocks = (ResidualBlock(channels, options) for _ in range(options.blocks))
            self.stages.append(nn.Sequential(_enlarge(in_channels, channels, factor), *blocks))
            in_channels = channels
        self.to_rgb = nn.Sequential(nn.Conv2d(in_channels, 3, 1), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        """Return RGB (b, 3, h * scale, w * scale) in [0, 1] for (b, c', h, w); see ``Upsampler``."""
        image: Tensor = self.to_rgb(self.stages(features))
        return image


class PixelShuffle(nfcore.Upsampler):
    """One convolution to all pixels of each ray's block, a pixel shuffle and a sigmoid.

    The sub-pixel convolution of ESPCN (Shi et al., CVPR 2016). No layer runs at the image's size, which makes it
    fast where transposed convolutions are slow: on a CPU it reached 2 dB more in the same training time.

    Args:
        options: the convolution's kernel.
        in_channels: number of features per ray.
        scale: pixels per ray along each side, 1 or more.

    """

    class Options(nfcore.Options):
        """Options of the pixel-shuffle upsampler."""

        kernel: int = Field(3, ge=1, le=31, description="Side of the convolution's kernel in rays; odd")

        @field_validator("kernel")
        @classmethod
        def _odd(cls, kernel: int) -> int:
            if kernel % 2 == 0:
                raise ValueError(f"should be odd, to be centred on a ray: {kernel - 1} or {kernel + 1}")
            return kernel

    options: Options

    def __init__(self, options: Options, in_channels: int, scale: int) -> None:
        super().__init__(options, in_channels, scale)
        self.to_pixels = nn.Conv2d(in_channels, 3 * scale**2, options.kernel, padding=options.kernel // 2)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, features: Tensor) -> Tensor:
        """Return RGB (b, 3, h * scale, w * scale) in [0, 1] for (b, c', h, w); see ``Upsampler``."""
        image: Tensor = self.shuffle(self.to_pixels(features))
        return image.sigmoid()


def prime_factors(n: int) -> list[int]:
    """Return the prime factors of ``n``, from small to large; none for 1."""
    factors: list[int] = []
    factor = 2
    while n > 1:
        while n % factor == 0:
            factors.append(factor)
            n //= factor
        factor += 1
    return factors


def stage_channels(channels: tuple[int, ...], stages: int) -> tuple[int, ...]:
    """Return the channels of each of ``stages`` stages: the last ones of ``channels``, the last repeated."""
    repeated = channels + channels[-1:] * (stages - len(channels))
    return repeated[len(repeated) - stages :]


def _enlarge(in_channels: int, channels: int, factor: int) -> nn.ConvTranspose2d:
    if factor == 2:
        return nn.ConvTranspose2d(in_channels, channels, kernel_size=4, stride=2, padding=1)
    return nn.ConvTranspose2d(in_channels, channels, kernel_size=factor, stride=factor)
