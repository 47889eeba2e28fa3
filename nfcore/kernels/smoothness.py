"""The gradient of roughness: squared differences between neighbouring vertices (Plenoxels, section 3.4)."""

from __future__ import annotations

import numpy as np

from nfcore.kernels.compile import kernel
from nfcore.kernels.records import Bytes, Floats, Grid, Ints, Number


@kernel
def smooth(
    grid: Grid, cells: Ints, density_weight: Number, value_weight: Number, gradient: Floats, touched: Bytes
) -> Number:
    """Add the gradient of the squared differences of some cells' first corners to their three neighbours.

    Args:
        grid: rows of V numbers.
        cells: (n,) numbers of stored cells; those with a corner that has no row of its own are left out.
        density_weight: what a squared difference of raw densities costs, on average over cells; float32.
        value_weight: the same for each of the V - 1 values, float32.
        gradient: (rows * V,) this thread's, added to.
        touched: (rows,) set to 1 where that was.

    Returns:
        What the differences cost.

    """
    whole = 0
    for cell in cells:
        whole += _is_whole(grid.corners, np.int64(cell))
    share, cost = np.float32(1) / np.float32(max(1, whole)), np.float32(0)
    for cell in cells:
        if _is_whole(grid.corners, np.int64(cell)):
            cost += _smooth_cell(
                grid, np.int64(cell), density_weight * share, value_weight * share, gradient, touched
            )
    return cost


@kernel
def _is_whole(corners: Ints, cell: Number) -> Number:
    first = cell * 8
    return min(min(corners[first], corners[first + 1]), min(corners[first + 2], corners[first + 4])) > 0


@kernel
def _smooth_cell(
    grid: Grid, cell: Number, density_weight: Number, value_weight: Number, gradient: Floats, touched: Bytes
) -> Number:
    row, cost = len(grid.lanes), np.float32(0)
    own = np.int64(grid.corners[cell * 8])
    touched[own] = 1
    for corner in (1, 2, 4):
        other = np.int64(grid.corners[cell * 8 + corner])
        touched[other] = 1
        difference = grid.table[own * row] - grid.table[other * row]
        cost += density_weight * difference * difference
        slope = np.float32(2) * density_weight * difference
        gradient[own * row] += slope
        gradient[other * row] -= slope
        for i in range(1, row):
            difference = grid.table[own * row + i] - grid.table[other * row + i]
            cost += value_weight * difference * difference
            slope = np.float32(2) * value_weight * difference
            gradient[own * row + i] += slope
            gradient[other * row + i] -= slope
    return cost
