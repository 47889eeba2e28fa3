"""Compiling the kernels of a sparse voxel field before a fit needs them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nfcore.kernels import (
    HARMONICS,
    PATH_SIZE,
    Grid,
    absorption_table,
    activate,
    cell_opacities,
    enter_grid,
    measure_gaps,
    move_rows,
    network_size,
    row_lanes,
    row_opacities,
    smooth,
)


def warm_up_kernels(render: Callable[..., object], train: Callable[..., object]) -> None:
    """Compile ``render``, ``train`` and what a fit calls besides, by a step with an empty grid of either width."""
    ray, path = np.zeros((1, 3), np.float32), np.zeros((1, PATH_SIZE), np.float32)
    number, one = np.float32(0.5), np.zeros(1, np.float32)
    enter_grid(path.copy(), ray[0], ray[0], ray[0], ray[0])
    byte, cell = np.zeros(1, np.uint8), np.zeros(1, np.int32)
    seen, width, shape = (ray.copy(), one.copy(), one.copy()), (0,) * 16, (1, 1, 1)
    for size in (8, 16):
        table, corners = np.zeros(size, np.float32), np.zeros(8, np.int32)
        bits, lanes = np.zeros(1, np.uint64), row_lanes(size)
        absorption = absorption_table(1, 0, 1)
        grid = Grid(table, corners, bits, bits.copy(), cell, byte, shape, shape, number, absorption, False, lanes)
        weights = np.zeros(network_size(size + HARMONICS, len(width), 3), np.float32)
        network = (weights, width, number)
        render(path, ray, ray[0], grid, *network, *seen)
        learned = (table.copy(), byte.copy(), weights.copy())
        train(0, 1, path, ray, one, ray, one, number, ray[0], grid, *network, *learned)
        row_opacities(grid, 0, 1, one)
        cell_opacities(grid, 0, 1, one, one.copy())
        activate(grid, 0, 1, byte, one, number, byte.copy())
        measure_gaps(grid)
        smooth(grid, cell, number, number, table, byte)
        rows = (table, table[None], np.zeros((1, 8), np.uint8), table, table, table, table, table)
        move_rows(lanes, 0, 8, *rows, number, number, number, np.zeros(8, np.int32))
