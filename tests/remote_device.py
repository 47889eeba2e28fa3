"""A device that is not there: its tensors hold their values in main memory, and refuse what a GPU would refuse.

It is called ``meta``, since torch asks the driver of any other before it lets Python decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")

aten = torch.ops.aten
#: Copies between devices; and indices, which may be in main memory.
MAY_MIX = {
    aten._to_copy.default,
    aten.copy_.default,
    aten.index.Tensor,
    aten.index_put_.default,
    aten.index_put.default,
    aten._index_put_impl_.default,
}


class Remote(Tensor):
    """A tensor that says it is on the device, and holds its values in main memory."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Remote:
        strides, offset = held.stride(), held.storage_offset()
        return torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=strides, storage_offset=offset, dtype=held.dtype, device=DEVICE
        )

    def __init__(self, held: Tensor) -> None:
        self.held = held

    def __tensor_flatten__(self):  # with these two, nn.Module.to() swaps parameters for those that are moved
        return ["held"], None

    @staticmethod
    def __tensor_unflatten__(inner, context, size, stride):
        return Remote(inner["held"])

    def __repr__(self, *, tensor_contents=None) -> str:
        return f"Remote({self.held!r})"

    def tolist(self) -> list[Any]:
        return self.cpu().tolist()

    def __getitem__(self, index: Any) -> Tensor:
        # Torch would make a tensor of a list on the device, whose memory is not there.
        found: Tensor = super().__getitem__(torch.tensor(index) if isinstance(index, list) else index)
        return found

    def new_tensor(self, data: Any, *, dtype: torch.dtype | None = None, **kwargs: Any) -> Tensor:
        return torch.tensor(data, dtype=dtype or self.dtype, **{"device": DEVICE} | kwargs)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return computed(func, args, kwargs or {})


class OnDevice(TorchDispatchMode):
    """Makes there what is asked for there; ``refused`` is the dtype that the device does not have."""

    refused: torch.dtype | None = None

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return computed(func, args, kwargs or {})


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Compute ``func`` in main memory, and return what it gives on the device where that is its place."""
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    remote = [t for t in tensors if isinstance(t, Remote)]
    if remote and func not in MAY_MIX and any(t.dim() and not isinstance(t, Remote) for t in tensors):
        raise RuntimeError(f"{func}: tensors on the device and in main memory")
    asked = kwargs.get("device")
    here = kwargs if asked is None else kwargs | {"device": torch.device("cpu")}
    out = func(*tree_map(_held, args), **tree_map(_held, here))
    if func is aten.copy_.default:
        return args[0]
    if not (remote if asked is None else torch.device(asked) == DEVICE):
        return out
    if any(isinstance(t, Tensor) and t.dtype is OnDevice.refused for t in tree_leaves(out)):
        raise TypeError(f"{func}: {OnDevice.refused} on a device that does not have it")
    wrapped = tree_map(lambda t: Remote(t) if isinstance(t, Tensor) else t, out)
    return return_and_correct_aliasing(func, args, kwargs, wrapped)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, Remote) else value


@contextmanager
def remote(*, double_precision: bool = True) -> Iterator[torch.device]:
    """Make the device available, with or without numbers in double precision."""
    OnDevice.refused = None if double_precision else torch.float64
    with patch.object(torch, "tensor", _tensor), OnDevice():
        yield DEVICE


def _tensor(*args: Any, device: Any = None, make: Any = torch.tensor, **kwargs: Any) -> Tensor:
    """Return what torch.tensor does, which fills a tensor in main memory before it moves it."""
    there = torch.device(device or "cpu") == DEVICE
    return make(*args, **kwargs).to(DEVICE) if there else make(*args, device=device, **kwargs)
