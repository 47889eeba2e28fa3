"""The residual backbone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import nfcore
from nfcore import UserError
from nfcore.exports.deploy import fold_norms

KINDS = [
    {"layer": layer, "activation": activation, "norm": norm}
    for layer in ("conv", "linear")
    for activation, norm in (("none", "none"), ("relu", "none"), ("gelu", "none"), ("gelu", "batch"))
]


def backbone(in_channels=7, **options):
    return nfcore.plugins().build("backbone", "residual-conv", {"depth": 6, "width": 8, **options}, in_channels)


@pytest.mark.parametrize("options", KINDS)
def test_every_row_of_table_4_keeps_the_grid(options):
    body = backbone(**options)
    assert body(torch.randn(2, 7, 3, 5)).shape == (2, 8, 3, 5)
    assert body.channels == 8


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_linear_layers_compute_what_1x1_convolutions_compute(norm):
    conv, linear = backbone(norm=norm), backbone(norm=norm, layer="linear")
    for parameter in conv.parameters():
        nn.init.normal_(parameter, std=0.4)
    weights = {name: w.flatten(1) if w.ndim == 4 else w for name, w in conv.state_dict().items()}
    linear.load_state_dict(weights)
    features = torch.randn(2, 7, 3, 5)
    torch.testing.assert_close(linear(features), conv(features), atol=1e-5, rtol=1e-5)


def test_depth_60_is_a_head_and_29_blocks_of_two_layers():
    body = backbone(depth=60)
    assert len(body.body) == 29
    assert sum(isinstance(m, nn.Conv2d) for m in body.modules()) == 59


def test_a_block_is_layer_norm_activation_layer_norm():
    branch = backbone().body[0].branch
    assert [type(m) for m in branch] == [nn.Conv2d, nn.BatchNorm2d, nn.GELU, nn.Conv2d, nn.BatchNorm2d]


def test_no_two_modules_are_shared():
    body = backbone()
    activations = [m for m in body.modules() if isinstance(m, nn.GELU)]
    assert len({id(m) for m in activations}) == len(activations) == 3


def test_without_norm_the_body_starts_as_the_identity():
    body = backbone(norm="none")
    features = torch.randn(1, 7, 2, 2)
    torch.testing.assert_close(body(features), 2 * body.head(features))


def test_each_ray_is_on_its_own():
    body = backbone().eval()
    features = torch.randn(1, 7, 3, 5)
    changed = features.clone()
    changed[..., 1, 2] += 1
    differs = (body(features) != body(changed)).any(1)[0]
    assert differs.nonzero().tolist() == [[1, 2]]


@pytest.mark.parametrize("layer", ["conv", "linear"])
def test_folding_the_norms_leaves_no_norm_and_the_same_function(layer):
    body = backbone(layer=layer, depth=12)
    for module in body.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.3, 2)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    features = torch.randn(2, 7, 3, 5)
    expected = body.eval()(features)
    folded = fold_norms(body)
    assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in folded.modules())
    torch.testing.assert_close(folded(features), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 7}, "depth: should be even, a block has two layers: 6 or 8, not 7"),
        ({"depth": 2}, "depth: Input should be greater than or equal to 4, not 2"),
        ({"layer": "mlp"}, "layer: Input should be 'conv' or 'linear', not 'mlp'"),
        ({"activation": "gleu"}, "activation: Input should be 'gelu', 'relu' or 'none', not 'gleu'"),
        ({"widht": 64}, "unknown option 'widht'; did you mean 'width'?"),
    ],
)
def test_a_wrong_option_says_what_would_be_right(options, message):
    with pytest.raises(UserError) as error:
        backbone(**options)
    assert "nfcore-mobiler2l/residual-conv" in str(error.value)
    assert str(error.value).endswith(message)
