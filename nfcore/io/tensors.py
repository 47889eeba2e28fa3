"""Checkpoints without pickle: nested tensors and plain values in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from nfcore.errors import UserError
from nfcore.io.atomic import atomic_path
from nfcore.io.files import check_file

#: Nested dicts (keys: str or int), lists, tensors, numbers, strings, booleans and None.
State: TypeAlias = Any

_KINDS = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL", torch.complex64: "C64",
    torch.uint16: "U16", torch.uint32: "U32", torch.uint64: "U64",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
}  # fmt: skip


def save_state(path: Path, state: State) -> None:
    """Write ``state`` to ``path`` atomically. Tensors that share memory are written separately.

    >>> save_state(Path("state"), {"step": 3, "weights": [torch.ones(2)]})
    >>> load_state(Path("state"))
    {'step': 3, 'weights': [tensor([1., 1.])]}
    """
    tensors: dict[str, Tensor] = {}
    tree = _flatten(state, tensors)
    write_safetensors(path, tensors, {"tree": json.dumps(tree)})


def load_state(path: Path) -> State:
    """Return what ``save_state`` wrote, bit for bit.

    Raises:
        UserError: the file is damaged or not a checkpoint.

    """
    tensors, metadata = read_safetensors(path)
    if "tree" not in metadata:
        raise UserError(f"{path}: not a checkpoint of nfcore")
    try:
        return _restore(json.loads(metadata["tree"]), tensors)
    except (LookupError, RecursionError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged checkpoint ({error})") from None


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors and text to a safetensors file, atomically.

    Tensors go to the file one by one, as checkpoints are large: the library would make two copies of all of them.
    """
    # The library's order: large types first, so that each tensor is aligned.
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name in order:
        begin, end = end, end + tensors[name].nbytes
        kind, shape = _KINDS[tensors[name].dtype], list(tensors[name].shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            plain = tensors[name].detach().cpu().contiguous().flatten()
            file.write(plain.view(torch.uint8).numpy().data)


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a safetensors file.

    Raises:
        UserError: the file is missing, damaged or not a safetensors file.

    """
    check_file(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({error})") from None


def safetensors_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file; none if it is missing or can't be read."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (safetensors.SafetensorError, OSError):
        return {}


def _flatten(node: State, tensors: dict[str, Tensor]) -> Any:
    match node:
        case Tensor():
            key = str(len(tensors))
            tensors[key] = node
            return {"tensor": key}
        case dict():
            return {"dict": [[key, _flatten(value, tensors)] for key, value in node.items()]}
        case list() | tuple():
            return {"list": [_flatten(value, tensors) for value in node]}
        case bool() | int() | float() | str() | None:
            return {"value": node}
    raise TypeError(f"a checkpoint can't hold a {type(node).__name__}")


def _restore(node: Any, tensors: dict[str, Tensor]) -> State:
    match node:
        case {"tensor": key}:
            return tensors[key]
        case {"dict": items}:
            return {key: _restore(value, tensors) for key, value in items}
        case {"list": items}:
            return [_restore(value, tensors) for value in items]
        case {"value": value}:
            return value
    raise ValueError("unknown node")


def seeded(seed: int) -> torch.Generator:
    """Return a CPU generator that starts from ``seed``."""
    return torch.Generator().manual_seed(seed)
