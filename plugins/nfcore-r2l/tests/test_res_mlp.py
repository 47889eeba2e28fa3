"""R2L's network is that of the paper."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import nfcore
from nfcore import UserError
from nfcore.config.resolve import configure
from nfcore.student.sizes import student_size

# R2L's code: 16 points, 3 coordinates, 10 octaves of sin and cos and the coordinate: "example: 48*21=1008".
CHANNELS = 16 * 3 * 21


def network(in_channels=7, **options):
    return nfcore.plugins().build("backbone", "res-mlp", {"depth": 8, "width": 6, **options}, in_channels)


def test_88_layers_are_a_head_43_blocks_and_the_layer_to_rgb():
    layers = [m for m in network(CHANNELS, depth=88, width=256).modules() if isinstance(m, nn.Conv2d)]
    assert len(layers) == 1 + 2 * 43
    assert {tuple(layer.weight.shape) for layer in layers[1:]} == {(256, 256, 1, 1)}


def test_it_computes_what_the_reference_computes_ray_by_ray():
    body = network()
    features = torch.randn(2, 7, 3, 4)
    weights = [(m.weight.flatten(1), m.bias) for m in body.modules() if isinstance(m, nn.Conv2d)]
    x = head = F.relu(F.linear(features.permute(0, 2, 3, 1), *weights[0]))
    for first, last in zip(weights[1::2], weights[2::2], strict=True):
        x = F.linear(F.relu(F.linear(x, *first)), *last) + x
    torch.testing.assert_close(body(features), (x + head).permute(0, 3, 1, 2), atol=1e-6, rtol=1e-5)


def test_no_ray_sees_another():
    body = network()
    features = torch.randn(1, 7, 3, 5)
    changed = features.clone()
    changed[..., 1, 2] += 1
    assert (body(features) != body(changed)).any(1)[0].nonzero().tolist() == [[1, 2]]


def test_the_papers_student_has_its_parameters_and_operations():
    # 1008*256 + 256, 86 layers of 256*256 + 256, 256*3 + 3: as float32 23.7 MB. The paper gives 11.79 MFLOP a ray,
    # two for each multiply-add.
    size = student_size(configure("r2l", nfcore.plugins()).student, nfcore.plugins(), 400, 400)
    assert size.rays == size.image == (400, 400)
    assert size.parameters == CHANNELS * 256 + 256 + 86 * (256 * 256 + 256) + 256 * 3 + 3 == 5_917_187
    assert round(2 * size.macs / 400**2 / 1e6, 2) == 11.79


def test_the_recipes_two_stages_are_those_of_its_code():
    config = configure("r2l", nfcore.plugins())
    assert config.student.encoding.options["samples"] == 16
    assert config.student.encoding.options["octaves"] == 10
    assert config.distill.batch * config.distill.crop**2 == 20 * 4096  # N_rand 20 files of 4096 rays
    assert (config.distill.views, config.distill.steps, config.distill.hard) == (10_000, 1_200_000, 0.2)


def test_an_odd_depth_says_what_would_be_right():
    with pytest.raises(UserError) as error:
        network(depth=7)
    message = "depth: should be even, a block has two layers: 6 or 8, not 7"
    assert "nfcore-r2l/res-mlp" in str(error.value)
    assert str(error.value).endswith(message)
