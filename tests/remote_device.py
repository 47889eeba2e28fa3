"""A device that is not there: its tensors hold their values in main memory, and refuse what a GPU would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

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
    def __new__(cls, held: Tensor, device: torch.device) -> Remote:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=device,
        )

    def __init__(self, held: Tensor, device: torch.device) -> None:
        self.held = held

    def __tensor_flatten__(self):
        return ["held"], self.device

    @staticmethod
    def __tensor_unflatten__(inner, device, size, stride):
        return Remote(inner["held"], device)

    def __repr__(self, *, tensor_contents=None) -> str:
        return f"Remote({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        (device,) = {t.device for t in tree_leaves((args, kwargs)) if isinstance(t, Remote)}
        return run(device, func, args, kwargs or {})


class RemoteMode(TorchDispatchMode):
    """Makes what is asked for on the device."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.there = device

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return run(self.there, func, args, kwargs or {})


def run(device: torch.device, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    remote = [t for t in tensors if isinstance(t, Remote)]
    local = [t for t in tensors if not isinstance(t, Remote) and t.dim()]
    if remote and local and func not in MAY_MIX:
        raise RuntimeError(f"{func}: tensors on {device} and in main memory")
    asked = kwargs.get("device")
    there = torch.device(asked).type == device.type if asked is not None else bool(remote)
    here = kwargs | ({"device": torch.device("cpu")} if asked is not None else {})
    out = func(*tree_map(_held, args), **tree_map(_held, here))
    if func is aten.copy_.default:
        return args[0]
    if not there:
        return out
    for tensor in tree_leaves(out):
        if isinstance(tensor, Tensor) and tensor.dtype is torch.float64 and device.type in ("mps", "meta"):
            raise TypeError(f"{func}: float64 on {device}")
    wrapped = tree_map(lambda t: Remote(t, device) if isinstance(t, Tensor) else t, out)
    return return_and_correct_aliasing(func, args, kwargs, wrapped)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, Remote) else value


@contextmanager
def remote(name: str) -> Iterator[torch.device]:
    device = torch.device(name)
    with RemoteMode(device):
        yield device
