"""The fit and the rendering of voxels as fused kernels: ray by ray through the atlas, the network, and back.

Composed of ``nfcore.kernels``; load it by ``nfcore.kernels.load``. What they compute is ``lattice``,
``compositing`` and ``network``, in float32 and another order.
"""

from __future__ import annotations

import numpy as np

from nfcore.kernels import absorption_table, network_size, row_lanes
from nfcore_snerg.kernels.marching import ROW
from nfcore_snerg.kernels.marching import AtlasRecord as AtlasRecord
from nfcore_snerg.kernels.training import INPUTS
from nfcore_snerg.kernels.training import render as render
from nfcore_snerg.kernels.training import train as train
from nfcore_snerg.kernels.voxels import look as look
from nfcore_snerg.kernels.voxels import premultiply as premultiply
from nfcore_snerg.kernels.voxels import step_rows as step_rows


def warm_up() -> None:
    """Compile all of them, by one step with an empty atlas."""
    ray, number, one = np.zeros((1, 3), np.float32), np.float32(0.5), np.zeros(1, np.float32)
    lanes, byte, row = row_lanes(ROW), np.zeros(8, np.uint8), np.zeros(ROW, np.float32)
    slots, rows = np.full(1, -1, np.int32), np.zeros(27, np.int32)
    atlas = AtlasRecord(row, slots, rows, (1, 1, 1), (1, 1, 1), 1, lanes)
    width = (0,) * 16
    weights, absorption = np.zeros(network_size(INPUTS, 16, 3), np.float32), absorption_table(1, 0, 1)
    rays = (ray, ray, ray, one)
    render(0, 1, *rays, ray[0], atlas, weights, width, ray.copy(), row[None].copy(), one.copy())
    train(
        0, 1, *rays, one, ray, one, number, number, number, ray[0], atlas, weights, width,
        row.copy(), byte.copy(), weights.copy(),
    )  # fmt: skip
    look(0, 1, ray, ray, one, atlas, one.copy(), byte.copy())
    premultiply(absorption, row, 0, 1, row.copy())
    rates, lowest, highest = (row.copy() for _ in range(3))
    fitted, table, mean, square = (np.zeros(64, np.float32) for _ in range(4))
    step_rows(
        lanes, 0, 8, absorption, fitted, table, table[None].copy(), byte[None].copy(), mean, square,
        rates, lowest, highest, number, number, number, np.zeros(8, np.int32),
    )  # fmt: skip
