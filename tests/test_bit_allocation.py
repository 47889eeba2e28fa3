"""Bits for each layer: what fewer bits cost a layer, and the path from no compression to the fewest bits."""

from __future__ import annotations

import itertools

import pytest
import tiny
import tiny_sizes
import torch
from tiny_sizes import exporter

from nfcore import Cameras
from nfcore.exports.deploy import DeployedLightField
from nfcore.shrinking.bit_allocation import UNCOMPRESSED, BitAllocation, bit_allocations
from nfcore.shrinking.sensitivity import Sensitivity, sensitivities
from nfcore.student.complexity import macs


@pytest.fixture(scope="module")
def student():
    return tiny.student(width=32).eval()


@pytest.fixture(scope="module")
def cameras(student) -> Cameras:
    return tiny_sizes.photos_of(student).cameras


def test_a_layers_sensitivity_is_the_error_of_rounding_that_layer_alone(student, cameras):
    found = sensitivities(student, exporter(), cameras[:4])
    layers = {name: module for name, module in student.named_modules() if name in found}
    assert set(layers) == {"backbone.layers.2", "upsampler.conv"}  # the first has 96 weights: not worth a palette
    own = student.render(cameras[:4])
    for name, layer in layers.items():
        assert found[name].weights == layer.weight.numel()
        whole = layer.weight.detach().clone()
        for bits, error in found[name].errors.items():
            layer.weight.data = exporter().rounded(whole, bits)
            assert error == pytest.approx(float((student.render(cameras[:4]) - own).square().mean()), rel=1e-3)
        layer.weight.data = whole
        assert found[name].errors[2] > found[name].errors[4] > found[name].errors[8] > 0


def test_norms_are_folded_before_a_layer_is_rounded(cameras):
    """What is exported has no norms; its layers' weights are other weights."""
    student = tiny.student(width=32, norm=True).eval()
    student.backbone.layers[1].running_var.fill_(9.0)
    seen = []

    class Watching(tiny_sizes.Packed):
        def rounded(self, weight, bits):
            seen.append(weight)
            return weight

    found = sensitivities(student, Watching(tiny_sizes.Packed.Options()), cameras[:1])
    assert "backbone.layers.3" in found
    assert all(error == 0 for layer in found.values() for error in layer.errors.values())
    folded = dict(DeployedLightField(student).image.network[0].named_modules())["layers.3"].weight
    assert any(torch.equal(weight, folded) for weight in seen)


def test_of_large_pictures_the_middle_is_enough(monkeypatch):
    large = tiny.student(side=64, width=32).eval()
    monkeypatch.setattr("nfcore.shrinking.sensitivity._MACS", 2 * macs(large) // 16)  # 2 views, a 16th of each
    cropped, seen = Cameras.cropped, []
    monkeypatch.setattr(Cameras, "cropped", lambda self, *window: seen.append(window) or cropped(self, *window))
    sensitivities(large, exporter(), tiny.cameras(tiny.REGION.circle(2), 64, 64))
    ((top, left, height, width),) = seen
    assert (height, width) == (16, 16)
    assert top.tolist() == left.tolist() == [24, 24]


LAYERS = {
    "sturdy": Sensitivity(1000, {8: 1e-6, 4: 2e-6, 2: 1e-4}),
    "delicate": Sensitivity(1000, {8: 1e-5, 4: 1e-3, 2: 1e-1}),
    "small": Sensitivity(300, {8: 1e-9, 4: 1e-8, 2: 1e-3}),
}


def bits_of(allocation: BitAllocation) -> int:
    return sum(layer.weights * allocation.bits.get(name, UNCOMPRESSED) for name, layer in LAYERS.items())


def test_a_path_goes_from_all_weights_whole_to_all_at_their_fewest_bits():
    path = bit_allocations(LAYERS)
    assert (path[0].bits, path[0].error) == ({}, 0)
    assert path[-1].bits == dict.fromkeys(LAYERS, 2)
    sizes = [bits_of(allocation) for allocation in path]
    assert sizes == sorted(sizes, reverse=True)
    assert all(one.error <= other.error for one, other in itertools.pairwise(path))
    for allocation in path:
        errors = [LAYERS[name].errors[bits] for name, bits in allocation.bits.items()]
        assert allocation.error == pytest.approx(sum(errors))


def test_no_other_choice_of_bits_is_both_smaller_and_better_than_one_on_the_path():
    """By all that there are: 4 widths of 3 layers."""
    choices = list(itertools.product((UNCOMPRESSED, 8, 4, 2), repeat=len(LAYERS)))
    every = [
        BitAllocation(0, {n: b for n, b in zip(LAYERS, bits, strict=True) if b != UNCOMPRESSED})
        for bits in choices
    ]
    costs = [(bits_of(one), sum(LAYERS[n].errors[b] for n, b in one.bits.items())) for one in every]
    for allocation in bit_allocations(LAYERS):
        size, error = bits_of(allocation), allocation.error
        assert not [cost for cost in costs if cost[0] <= size and cost[1] < error * (1 - 1e-9)]


def test_the_sturdy_layer_gets_fewer_bits_than_the_delicate_one():
    halfway = [a for a in bit_allocations(LAYERS) if a.error < 1e-4][-1]
    assert halfway.bits["sturdy"] < halfway.bits.get("delicate", UNCOMPRESSED)
