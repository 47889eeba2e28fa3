"""The two upsamplers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import nfcore
from nfcore import UserError
from nfcore_mobiler2l.residual import ResidualBlock
from nfcore_mobiler2l.upsamplers import prime_factors, stage_channels


def upsampler(name, scale, **options):
    return nfcore.plugins().build("upsampler", name, options, 8, scale)


@pytest.mark.parametrize("name", ["transposed-conv", "pixel-shuffle"])
@pytest.mark.parametrize("scale", [1, 2, 3, 5, 8, 12])
def test_any_scale_gives_that_many_pixels_a_ray(name, scale):
    image = upsampler(name, scale)(10 * torch.randn(2, 8, 3, 4))
    assert image.shape == (2, 3, 3 * scale, 4 * scale)
    assert image.min() >= 0
    assert image.max() <= 1


@pytest.mark.parametrize(
    ("scale", "kernels", "channels"),
    [
        (8, [4, 4, 4], [64, 64, 16]),
        (12, [4, 4, 3], [64, 64, 16]),
        (1, [], []),
        (2, [4], [16]),
        (6, [4, 3], [64, 16]),
        (16, [4, 4, 4, 4], [64, 64, 16, 16]),
        (5, [5], [16]),
    ],
)
def test_stages_are_the_prime_factors_of_the_scale(scale, kernels, channels):
    layers = [m for m in upsampler("transposed-conv", scale).modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [layer.kernel_size[0] for layer in layers] == kernels
    assert [layer.out_channels for layer in layers] == channels
    strides = [layer.stride[0] for layer in layers]
    assert strides == prime_factors(scale)
    assert [layer.padding[0] for layer in layers] == [1 if stride == 2 else 0 for stride in strides]


def test_two_residual_blocks_directly_follow_each_transposed_convolution():
    for stage in upsampler("transposed-conv", 12).stages:
        assert [type(m) for m in stage] == [nn.ConvTranspose2d, ResidualBlock, ResidualBlock]


def test_blocks_take_activation_and_norm():
    stages = upsampler("transposed-conv", 4, activation="relu", norm="none", blocks=3).stages
    assert [type(m) for m in stages[0][3].branch] == [nn.Conv2d, nn.ReLU, nn.Conv2d]


def test_prime_factors_multiply_to_the_number():
    for n in range(1, 60):
        factors = prime_factors(n)
        assert torch.tensor([1, *factors]).prod() == n
        assert factors == sorted(factors)


def test_stage_channels_take_the_last_and_repeat_the_last():
    assert [stage_channels((64, 32, 16), n) for n in range(5)] == [
        (), (16,), (32, 16), (64, 32, 16), (64, 32, 16, 16),
    ]  # fmt: skip


def test_pixel_shuffle_puts_each_rays_channels_into_its_own_block():
    layer = upsampler("pixel-shuffle", 3, kernel=1)
    features = torch.zeros(1, 8, 2, 2)
    before = layer(features)
    features[:, :, 1, 0] = 1
    changed = (layer(features) != before).any(1)[0]
    assert changed[3:, :3].all()
    assert changed.sum() == 9


def test_pixel_shuffle_is_one_convolution():
    layer = upsampler("pixel-shuffle", 4)
    assert sum(p.numel() for p in layer.parameters()) == 8 * 48 * 9 + 48


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("pixel-shuffle", {"kernel": 2}, "kernel: should be odd, to be centred on a ray: 1 or 3, not 2"),
        ("transposed-conv", {"blocks": -1}, "blocks: Input should be greater than or equal to 0, not -1"),
        ("transposed-conv", {"channel": [8]}, "unknown option 'channel'; did you mean 'channels'?"),
    ],
)
def test_a_wrong_option_says_what_would_be_right(name, options, message):
    with pytest.raises(UserError) as error:
        upsampler(name, 4, **options)
    assert f"nfcore-mobiler2l/{name}" in str(error.value)
    assert str(error.value).endswith(message)


def test_stages_need_channels():
    with pytest.raises(UserError, match=r"nfcore-mobiler2l/transposed-conv .*channels: .*at least 1 item"):
        upsampler("transposed-conv", 4, channels=[])
