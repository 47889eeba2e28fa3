"""A lattice of vertices over the cube [-1, 1]^3, and trilinear look-up in a table of vertex values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def vertices(resolution: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the places (resolution^3, 3) of all vertices in the cube, x slowest and z fastest."""
    axis = torch.linspace(-1, 1, resolution, device=device)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)


def locate(xyz: Sequence[Tensor], resolution: int) -> tuple[Tensor, list[Tensor]]:
    """Return the cell that each point lies in, and where in it.

    Args:
        xyz: three tensors of one shape (..), coordinates in the cube; points outside are moved to its faces.
        resolution: vertices along each axis.

    Returns:
        (..) int32, the linear index of each cell's lowest corner, and three tensors (..) in [0, 1].

    """
    cell: Tensor | None = None
    within = []
    for coordinate in xyz:
        place = (coordinate.clamp(-1, 1) + 1) * ((resolution - 1) / 2)
        lowest = place.floor().clamp(max=resolution - 2)
        within.append(place - lowest)
        cell = lowest.int() if cell is None else cell * resolution + lowest.int()
    assert cell is not None
    return cell, within


def corners(resolution: int) -> list[int]:
    """Return how far the eight corners of a cell are from its lowest one, in the order of ``corner_weights``."""
    return [(i * resolution + j) * resolution + k for i in (0, 1) for j in (0, 1) for k in (0, 1)]


def corner_weights(within: Sequence[Tensor]) -> list[Tensor]:
    """Return the trilinear weights of a cell's eight corners, (..) each."""
    (x0, x1), (y0, y1), (z0, z1) = ((1 - place, place) for place in within)
    return [x * yz for x in (x0, x1) for yz in (y0 * z0, y0 * z1, y1 * z0, y1 * z1)]


def interpolate(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Return weighted sums of rows of ``table``: out[n] = sum_k weights[n, k] * table[rows[n, k]].

    ``embedding_bag`` sums without writing out the (n, 8, c) products; forward and backward, 3-D ``grid_sample``
    takes 4 to 6 times as long on a CPU, and ``embedding_bag``'s own backward 3 times as long as this one.

    Args:
        table: (v, c) values.
        rows: (n, 8) int32 or int64.
        weights: (n, 8), of the table's type.

    Returns:
        (n, c). Gradients flow to the table only.

    """
    result: Tensor = _Interpolation.apply(table, rows, weights)  # type: ignore[no-untyped-call]
    return result


class _Interpolation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weights)
        ctx.vertices = len(table)
        return F.embedding_bag(rows, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        rows, weights = ctx.saved_tensors
        channels = gradient.shape[1]
        shares = weights[:, :, None] * gradient[:, None, :]
        # One flat scatter of numbers; index_add_ of rows sorts its indices first and takes twice as long.
        places = rows.long()[:, :, None] * channels + torch.arange(channels, device=rows.device)
        result = gradient.new_zeros(ctx.vertices, channels)
        result.view(-1).scatter_add_(0, places.view(-1), shares.view(-1))
        return result, None, None
