"""Any content of the files that nfcore writes and reads again gives an answer, or an error that names the file."""

from __future__ import annotations

import copy
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcore import LightField, NfcoreError
from nfcore.config.resolve import configure
from nfcore.io.tensors import read_safetensors, save_state, write_safetensors
from nfcore.pipeline import load_teacher, save_teacher
from nfcore.runs import Run
from nfcore.runs.checkpoints import Checkpoints

pytestmark = pytest.mark.slow

MANAGER = tiny.manager()
VALUES: list[Any] = [
    None, True, -1, 0, 3, 10**30, 1e308, float("nan"), "", "nan", "1" * 5000, "a/b", [], {}, [1], [[1]],
    [1e30] * 3, {"x": 1},
]  # fmt: skip


def written(path: Path, kind: str) -> Callable[[], object]:
    """Write a sound file of this kind to ``path``, and return what reads it."""
    if kind == "student":
        tiny.student().save(path, MANAGER)
        return lambda: LightField.load(path, MANAGER)
    if kind == "teacher":
        save_teacher(tiny.fitted_teacher(), path, MANAGER)
        return lambda: load_teacher(path, MANAGER)
    save_state(path, {"format": 2, "nfcore": "1", "state": [torch.ones(3), 1, None, {"b": 2.5, 3: "x"}]})
    return Checkpoints(path).load


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container with each of its keys, at any depth of a JSON value."""
    keys = node.keys() if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from places(node[key])


def reads_or_refuses(read: Callable[[], object], path: Path) -> None:
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's, of networks without any width
            read()
    except NfcoreError as error:
        assert len(str(error).splitlines()) <= 2
        assert str(path) in str(error) or "nothing that is installed" in str(error) or "unknown" in str(error)


@pytest.mark.parametrize("kind", ["student", "teacher", "checkpoint"])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_file_whose_card_says_anything_is_read_or_refused(kind, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{kind}.safetensors"
        read = written(path, kind)
        tensors, metadata = read_safetensors(path)
        (name,) = metadata
        card = {"card": json.loads(metadata[name])}
        for _ in range(data.draw(st.integers(1, 3))):
            node, key = data.draw(st.sampled_from(list(places(card))))
            node[key] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
        write_safetensors(path, tensors, {name: json.dumps(card["card"])})
        reads_or_refuses(read, path)


@pytest.mark.parametrize("kind", ["student", "teacher", "checkpoint"])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_file_with_any_tensors_is_read_or_refused(kind, data):
    changes = [
        torch.Tensor.double, torch.Tensor.bool, torch.Tensor.flatten, lambda x: x[None],
        lambda _: torch.zeros(()), lambda _: torch.zeros(0), lambda _: torch.zeros(2, dtype=torch.complex64),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{kind}.safetensors"
        read = written(path, kind)
        tensors, metadata = read_safetensors(path)
        name = data.draw(st.sampled_from(sorted(tensors)))
        tensors[name] = data.draw(st.sampled_from(changes))(tensors[name])
        write_safetensors(path, tensors, metadata)
        reads_or_refuses(read, path)


@pytest.mark.parametrize("kind", ["student", "teacher", "checkpoint", "config.toml", "results.json"])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_file_with_any_changed_bytes_is_read_or_refused(kind, data):
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", configure("tiny", MANAGER), resume=False)
        run.finish("teach", {"scene": "x", "seconds.teach": 3.2})
        if kind == "config.toml":
            path, read = run.folder / kind, lambda: Run(run.folder)
        elif kind == "results.json":
            path, read = run.folder / "state" / kind, lambda: Run(run.folder).finished
        else:
            path = Path(folder) / f"{kind}.safetensors"
            read = written(path, kind)
        content = path.read_bytes()
        at = data.draw(st.integers(0, min(len(content) - 1, 3000)))
        piece = data.draw(st.binary(max_size=8) | st.sampled_from([b"9" * 5000, b"[" * 3000, b"1e999", b"null"]))
        path.write_bytes(content[:at] + piece + content[at + data.draw(st.integers(0, 8)) :])
        reads_or_refuses(read, path)
