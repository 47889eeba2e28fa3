"""The hash encoding as one Triton kernel, for CUDA: the look-ups of ``hash_encoding``, no arrays in between.

Used where torch has CUDA and Triton can be imported (torch's CUDA builds for Linux bring it); elsewhere ``usable``
is False and nothing of it is imported. A test compares both paths where there is CUDA.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nfcore_teachers.hash_levels import Level

#: Points that one program of the kernel looks up, on one level.
_BLOCK = 256


def usable(points: Tensor) -> bool:
    """Whether ``encode`` can run where ``points`` are."""
    return points.is_cuda and _has_triton()


def encode(points: Tensor, table: Tensor, levels: Sequence[Level]) -> Tensor:
    """Return features (n, levels * channels) of ``points`` (n, 3) in [0, 1] on a CUDA device.

    Args:
        points: (n, 3) float32.
        table: (rows, channels) float32; gradients flow to it alone, and none to row 0.
        levels: where in the table each level starts.

    """
    plan = torch.tensor(
        [[level.resolution, level.first, level.rows, level.hashed] for level in levels], dtype=torch.int32
    )
    result: Tensor = _Encoding.apply(points.contiguous(), table, plan.to(points.device))  # type: ignore[no-untyped-call]
    return result


class _Encoding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, plan: Tensor) -> Tensor:
        n, channels = len(points), table.shape[1]
        features = table.new_empty(n, len(plan), channels)
        if n:
            _launch("look_up", points, table, plan, features, channels)
        ctx.save_for_backward(points, plan)
        ctx.table_shape = table.shape
        return features.flatten(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None]:
        points, plan = ctx.saved_tensors
        result = gradient.new_zeros(ctx.table_shape)
        if len(points):
            _launch("scatter", points, result, plan, gradient.contiguous(), ctx.table_shape[1])
        return None, result, None


def _launch(name: str, points: Tensor, table: Tensor, plan: Tensor, features: Tensor, channels: int) -> None:
    grid = (-(-len(points) // _BLOCK), len(plan))
    # Triton launches on the current device, which need not be that of the tensors.
    with torch.cuda.device(points.device):
        _kernel()[grid](
            points, table, plan, features, len(points), len(plan), CHANNELS=channels, BLOCK=_BLOCK,
            SCATTER=name == "scatter",
        )  # fmt: skip


@functools.cache
def _has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


@functools.cache
def _kernel() -> Any:
    from nfcore_teachers.hash_triton import trilinear

    return trilinear
