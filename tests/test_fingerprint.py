"""What a converted graph depends on is in its key, and equal modules share one conversion."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import nfcore
from nfcore.exports.deploy import DeployedLightField
from nfcore.exports.fingerprint import fingerprint
from nfcore.exports.torch_onnx import onnx_graph
from nfcore.testing import tiny_student


class Scaled(nn.Module):
    """A module with an attribute that no state dict has."""

    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.factor = factor
        self.layer = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * self.layer(x)


@pytest.fixture
def module() -> Scaled:
    return Scaled().eval()


def test_a_copy_has_the_same_key(module):
    assert fingerprint(module) is not None
    assert fingerprint(copy.deepcopy(module)) == fingerprint(module)


def test_a_student_made_for_export_has_a_key_which_its_cameras_do_not_change():
    student = tiny_student()
    parts = (student.encoding, student.backbone, student.upsampler)
    fewer = nfcore.LightField(*parts, scene=student.scene, cameras=student.cameras[:1])
    assert fingerprint(DeployedLightField(student)) == fingerprint(DeployedLightField(fewer)) is not None


@torch.no_grad()
@pytest.mark.parametrize("change", ["weight", "attribute", "class", "precision", "mode"])
def test_what_changes_the_computation_changes_the_key(module, change):
    before = fingerprint(copy.deepcopy(module))
    if change == "weight":
        module.layer.weight[0, 0].add_(1e-6)
    elif change == "attribute":
        module.factor = 2.5
    elif change == "class":
        module = type("Scaled", (Scaled,), {})()
        module.load_state_dict(copy.deepcopy(module.state_dict()))
    elif change == "precision":
        module.half()
    else:
        module.train()
    assert fingerprint(module) != before


def test_a_module_with_a_function_or_a_hook_or_itself_in_it_has_no_key(module):
    module.factor = lambda: 2.0
    assert fingerprint(module) is None
    hooked = Scaled()
    hooked.register_forward_hook(lambda *_: None)
    assert fingerprint(hooked) is None
    round_and_round = Scaled()
    round_and_round.factor = [round_and_round.factor]
    round_and_round.factor.append(round_and_round.factor)
    assert fingerprint(round_and_round) is None


@pytest.mark.slow
def test_an_equal_module_is_converted_once_and_each_caller_has_a_graph_of_its_own(module, monkeypatch):
    pytest.importorskip("onnxscript")
    options = {"inputs": ["x"], "outputs": ["y"], "opset": 18}
    first = onnx_graph(module, (torch.zeros(1, 2),), **options)
    whole = first.SerializeToString()
    del first.graph.node[:]
    with monkeypatch.context() as patch:
        patch.setattr("torch.onnx.export", lambda *_, **__: pytest.fail("converted again"))
        again = onnx_graph(copy.deepcopy(module), (torch.ones(1, 2),), **options)
    assert again.SerializeToString() == whole
    wider = onnx_graph(module, (torch.zeros(3, 2),), **options)
    assert wider.graph.input[0] != again.graph.input[0]
