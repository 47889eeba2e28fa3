"""The size of a student and the operations that it takes."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from nfcore.student.light_field import LightField


def parameters(module: nn.Module) -> int:
    """Return the number of trained parameters.

    >>> parameters(nn.Linear(3, 4))
    16
    """
    return sum(parameter.numel() for parameter in module.parameters())


@dataclass(frozen=True)
class LookUps:
    """Rows that are read from tables, volumes or planes where a ray comes by: work without multiply-adds.

    Args:
        rows: how many are read for one image.
        bytes: of these, in the student's own precision.

    """

    rows: int
    bytes: int


def macs(student: LightField) -> int:
    """Return the multiply-accumulate operations for one image, counting convolutions and matrix products."""
    return macs_and_look_ups(student)[0]


@torch.no_grad()
def macs_and_look_ups(student: LightField) -> tuple[int, LookUps]:
    """Return `macs`, and what one image reads from tables, volumes and planes, which no processor does quickly.

    The image is not computed: the student is on the device ``meta``.
    """
    on_meta = copy.deepcopy(student).to("meta").eval()
    for part in on_meta.modules():
        if isinstance(part, _BatchNorm):  # fifteen operations each on this device, of which none counts
            part.forward = _unchanged  # type: ignore[assignment, method-assign]
    with _Counter() as counter:
        on_meta(student.cameras[:1].to("meta"))
    return counter.flops // 2, LookUps(counter.rows, counter.bytes)


def _unchanged(features: Tensor) -> Tensor:
    return features


def _selected(args: Sequence[Any]) -> tuple[int, int]:
    table, dim, index = args
    return index.numel(), table.numel() // max(1, table.shape[dim])


def _bags(args: Sequence[Any]) -> tuple[int, int]:
    table, index = args[:2]
    return index.numel(), table.shape[1]


def _samples(args: Sequence[Any]) -> tuple[int, int]:
    volume, grid = args[:2]
    return math.prod(grid.shape[:-1]) * 2 ** grid.shape[-1], volume.shape[1]


class _Counter(TorchDispatchMode):
    """Counts floating-point operations, and by operator the rows that are read and their lengths."""

    look_ups: Mapping[Any, Callable[[Sequence[Any]], tuple[int, int]]] = {
        torch.ops.aten.index_select: _selected,
        torch.ops.aten._embedding_bag: _bags,
        torch.ops.aten._embedding_bag_forward_only: _bags,
        torch.ops.aten.embedding: _bags,
        torch.ops.aten.grid_sampler_2d: _samples,
        torch.ops.aten.grid_sampler_3d: _samples,
    }

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = self.rows = self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        operations = flop_registry.get(func.overloadpacket)
        if operations is not None:
            self.flops += operations(*args, **kwargs, out_val=made)
        count = self.look_ups.get(func.overloadpacket)
        if count is not None and isinstance(args[0], Tensor):
            rows, length = count(args)
            self.rows += rows
            self.bytes += rows * length * args[0].element_size()
        return made
