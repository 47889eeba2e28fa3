"""Which cell of a grid contains a point, and the trilinear weights of its corners."""

from __future__ import annotations

import torch
from torch import Tensor

Shape = tuple[int, int, int]


def cell_strides(shape: Shape) -> Shape:
    """Return how far apart neighbours along x, y and z are in a row-major grid of ``shape``."""
    return shape[1] * shape[2], shape[2], 1


def corner_offsets(shape: Shape, device: torch.device | str = "cpu") -> Tensor:
    """Return (8,) int64: from a cell's lowest corner to all its corners, in linear indices of a grid of vertices.

    The order, x slowest and z fastest, is that of the weights of ``locate``.
    """
    x, y, z = cell_strides(shape)
    return torch.tensor([i * x + j * y + k * z for i in (0, 1) for j in (0, 1) for k in (0, 1)], device=device)


def locate(points: Tensor, shape: Shape) -> tuple[Tensor, Tensor]:
    """Return the cell that contains each point, and the trilinear weights of the cell's corners.

    Args:
        points: (n, 3) float, in grid units: vertex (i, j, k) is at that very place. Points outside the grid
            are extrapolated from the nearest cell.
        shape: number of vertices along x, y and z, each 2 or more.

    Returns:
        (n,) int32, the linear index of each cell's lowest corner, and (n, 8) weights that sum to 1 in the order
        of ``corner_offsets``. No gradients flow to the points.

    """
    with torch.no_grad():
        axes = points.t().contiguous()  # no copy where the points already lie axis by axis in memory
        lowest = [axes[i].floor().clamp_(0, shape[i] - 2) for i in range(3)]
        x, y, z = (axes[i] - lowest[i] for i in range(3))
        stride_x, stride_y, _ = cell_strides(shape)
        cells = lowest[0].int() * stride_x + lowest[1].int() * stride_y + lowest[2].int()
        yz = torch.stack([(1 - y) * (1 - z), (1 - y) * z, y * (1 - z), y * z], 1)
        return cells, torch.cat([(1 - x)[:, None] * yz, x[:, None] * yz], 1)
