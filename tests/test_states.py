"""Checkpoints come back bit for bit, or not at all."""

from __future__ import annotations

import json

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nfcore import UserError
from nfcore.io.tensors import load_state, save_state

DTYPES = [
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int32,
    torch.int64,
]


@st.composite
def tensors(draw) -> torch.Tensor:
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    dtype = draw(st.sampled_from(DTYPES))
    values = torch.randn(shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 9)))) * 100
    tensor = values > 0 if dtype == torch.bool else values.to(dtype)
    return tensor.mT if tensor.ndim > 1 and draw(st.booleans()) else tensor


values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | tensors()
trees = st.recursive(
    values,
    lambda node: (
        st.lists(node, max_size=3)
        | st.dictionaries(st.text(max_size=4), node, max_size=3)
        | st.dictionaries(st.integers(), node, max_size=3)
    ),
    max_leaves=12,
)


def assert_same(left, right) -> None:
    assert type(left) is type(right)
    if isinstance(left, torch.Tensor):
        assert left.dtype == right.dtype
        assert left.shape == right.shape
        assert left.contiguous().view(-1).view(torch.uint8).tolist() == right.view(-1).view(torch.uint8).tolist()
    elif isinstance(left, dict):
        assert list(left) == list(right)
        assert [type(key) for key in left] == [type(key) for key in right]
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, list):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    else:
        assert left == right


@given(trees)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tree_comes_back_bit_for_bit(tmp_path, tree):
    save_state(tmp_path / "s.safetensors", tree)
    assert_same(tree, load_state(tmp_path / "s.safetensors"))


def test_floats_that_json_has_no_word_for_come_back(tmp_path):
    state = {"error": float("nan"), "best": float("inf"), "bits": torch.tensor([float("nan"), -0.0])}
    save_state(tmp_path / "s", state)
    loaded = load_state(tmp_path / "s")
    assert loaded["error"] != loaded["error"]
    assert loaded["best"] == float("inf")
    assert torch.equal(loaded["bits"].view(torch.int32), state["bits"].view(torch.int32))


def test_an_optimizer_comes_back(tmp_path):
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    save_state(tmp_path / "s", optimizer.state_dict())
    again = torch.optim.AdamW(layer.parameters())
    again.load_state_dict(load_state(tmp_path / "s"))
    for key, value in optimizer.state_dict()["state"][0].items():
        assert torch.equal(value, again.state_dict()["state"][0][key])


def test_tensors_that_share_memory_come_back_as_their_own(tmp_path):
    whole = torch.arange(6.0)
    save_state(tmp_path / "s", {"whole": whole, "again": whole, "part": whole[1:3], "turned": whole.view(2, 3).T})
    loaded = load_state(tmp_path / "s")
    assert loaded["again"].tolist() == whole.tolist()
    assert loaded["part"].tolist() == [1, 2]
    assert loaded["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    loaded["whole"][1] = 9.0
    assert loaded["part"].tolist() == [1, 2]


def test_a_state_with_gradients_is_saved_without_them(tmp_path):
    save_state(tmp_path / "s", torch.nn.Parameter(torch.ones(2)))
    assert not load_state(tmp_path / "s").requires_grad


def test_what_can_not_be_saved_is_named_and_the_old_file_stays(tmp_path):
    save_state(tmp_path / "s", 1)
    with pytest.raises(TypeError, match="can't hold a set"):
        save_state(tmp_path / "s", {"a": [{1, 2}]})
    assert load_state(tmp_path / "s") == 1


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_a_truncated_checkpoint_is_a_users_error_that_names_the_file(tmp_path, keep):
    path = tmp_path / "s.safetensors"
    save_state(path, {"a": torch.ones(100)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"s\.safetensors: not a readable safetensors file"):
        load_state(path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "photo").write_bytes(b"\x89PNG" * 100)
    with pytest.raises(UserError, match="not a readable safetensors file"):
        load_state(tmp_path / "photo")
    safetensors.torch.save_file({"a": torch.ones(1)}, tmp_path / "foreign")
    with pytest.raises(UserError, match="not a checkpoint of nfcore"):
        load_state(tmp_path / "foreign")
    with pytest.raises(UserError, match="no such file"):
        load_state(tmp_path / "absent")
    with pytest.raises(UserError):
        load_state(tmp_path)


@pytest.mark.parametrize("tree", ["{", '{"odd": 1}', '{"tensor": "7"}'])
def test_a_checkpoint_whose_tree_is_damaged_is_a_users_error(tmp_path, tree):
    safetensors.torch.save_file({"0": torch.ones(1)}, tmp_path / "s", {"tree": tree})
    with pytest.raises(UserError):
        load_state(tmp_path / "s")


def test_the_file_holds_no_pickle(tmp_path):
    save_state(tmp_path / "s", {"a": torch.ones(2), 3: "x"})
    header_bytes = int.from_bytes((tmp_path / "s").read_bytes()[:8], "little")
    header = json.loads((tmp_path / "s").read_bytes()[8 : 8 + header_bytes])
    assert set(header) == {"0", "__metadata__"}
