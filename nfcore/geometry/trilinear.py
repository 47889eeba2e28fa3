"""Trilinear interpolation in a table of vertices, with its own, faster backward pass: most of a fit's time."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

Shape = tuple[int, int, int]


def interpolate(table: Tensor, rows: Tensor, weights: Tensor, *, constant_first: bool = False) -> Tensor:
    """Return weighted sums of rows of ``table``: out[n] = sum_k weights[n, k] * table[rows[n, k]].

    ``embedding_bag`` sums without writing out the (n, k, c) products; 3D ``grid_sample`` takes 4 to 6 times as
    long on a CPU, and ``embedding_bag``'s own backward 3 times as long as this one.

    Args:
        table: (v, c) values.
        rows: (n, k) int32 or int64; k is 8 for trilinear interpolation.
        weights: (n, k), of the table's type.
        constant_first: row 0 is a constant that receives no gradient, like an embedding's padding row.

    Returns:
        (n, c). Gradients flow to the table only.

    >>> table = torch.tensor([[0.0], [10.0]])
    >>> interpolate(table, rows=torch.tensor([[0, 1]]), weights=torch.tensor([[0.25, 0.75]]))
    tensor([[7.5000]])

    """
    result: Tensor = _Interpolation.apply(table, rows, weights, constant_first)  # type: ignore[no-untyped-call]
    return result


def corner_offsets(shape: Shape, device: torch.device | str = "cpu") -> Tensor:
    """Return (8,) int64: from a cell's lowest corner to all its corners, in linear indices of a grid of vertices.

    The order, x slowest and z fastest, is that of the weights of ``locate``.
    """
    x, y, z = _strides(shape)
    return torch.tensor([i * x + j * y + k * z for i in (0, 1) for j in (0, 1) for k in (0, 1)], device=device)


def locate(points: Tensor, shape: Shape) -> tuple[Tensor, Tensor]:
    """Return the cell that contains each point, and the trilinear weights of the cell's corners.

    Args:
        points: (n, 3) float, in grid units: vertex (i, j, k) is at (i, j, k). Points outside the grid
            are extrapolated from the nearest cell.
        shape: number of vertices along x, y and z, each 2 or more.

    Returns:
        (n,) int32, the linear index of each cell's lowest corner, and (n, 8) weights that sum to 1 in the order
        of ``corner_offsets``. No gradients flow to the points.

    """
    with torch.no_grad():
        axes = points.t().contiguous()  # no copy where the points are stored axis by axis
        lowest = [axes[i].floor().clamp_(0, shape[i] - 2) for i in range(3)]
        x, y, z = (axes[i] - lowest[i] for i in range(3))
        stride_x, stride_y, _ = _strides(shape)
        cells = lowest[0].int() * stride_x + lowest[1].int() * stride_y + lowest[2].int()
        yz = torch.stack([(1 - y) * (1 - z), (1 - y) * z, y * (1 - z), y * z], 1)
        return cells, torch.cat([(1 - x)[:, None] * yz, x[:, None] * yz], 1)


def _strides(shape: Shape) -> Shape:
    """Return how far apart neighbours along x, y and z are in a row-major grid of ``shape``."""
    return shape[1] * shape[2], shape[2], 1


class _Interpolation(Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, weights: Tensor, constant_first: bool) -> Tensor:
        ctx.save_for_backward(rows, weights)
        ctx.vertices, ctx.constant_first = len(table), constant_first
        return F.embedding_bag(rows, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        rows, weights = ctx.saved_tensors
        # One scatter of numbers for each channel: scatters of rows, and index_add_, take 2 to 4 times as long.
        places, shares = rows.long().view(-1), gradient.t().contiguous()
        result = gradient.new_zeros(len(shares), ctx.vertices)
        for column, share in zip(result, shares, strict=True):
            column.scatter_add_(0, places, (weights * share[:, None]).view(-1))
        if ctx.constant_first:
            result[:, 0] = 0
        return result.t().contiguous(), None, None, None
