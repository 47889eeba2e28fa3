"""The backward pass of compositing: from the gradient of a ray's sums to each sample's rows.

With weights w_i = T_i a_i, light T_i and opacities a_i = 1 - exp(-d_i), gradients g_i of the weights are one of
d_i: (1 - a_i) T_i g_i - sum_{j > i} w_j g_j. A thicker sample dims what is behind it. With a gradient g of the
sums S = sum_i w_i v_i, g_i is v_i.g.
"""

from __future__ import annotations

import numpy as np

from nfcore.kernels.compile import kernel
from nfcore.kernels.records import (
    OPACITY,
    SAMPLE_EXTRA,
    SLOPE,
    TRANSMITTANCE,
    WEIGHT,
    Bytes,
    Floats,
    Grid,
    Ints,
)  # fmt: skip
from nfcore.kernels.scattering import scatter
from nfcore.kernels.vectors import dot

_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def composite_backward(
    grid: Grid,
    count: int,
    samples: Floats,
    cells: Ints,
    slope_of_sums: Floats,
    gradient: Floats,
    touched: Bytes,
) -> None:
    """Add what ``count`` samples of one ray contribute to the gradient of the grid's rows.

    Args:
        grid: what was marched through, rows of V numbers.
        count: samples that ``march`` kept.
        samples: as ``march`` wrote them.
        cells: likewise.
        slope_of_sums: (V,) gradient of the loss by the ray's sums, the opacity's first.
        gradient: (rows * V,) this thread's, added to. Row 0 is added to as well, and means nothing.
        touched: (rows,) set to 1 where that was.

    """
    row = len(grid.lanes)
    behind = _ZERO
    for i in range(count - 1, -1, -1):
        at = i * (row + SAMPLE_EXTRA)
        own = dot(grid.lanes, samples, at, slope_of_sums, 0)
        place = at + row
        weight, opacity = samples[place + WEIGHT], samples[place + OPACITY]
        by_depth = (_ONE - opacity) * samples[place + TRANSMITTANCE] * own - behind
        behind += weight * own
        cell = np.int64(cells[i])
        scatter(
            grid.lanes, gradient, grid.corners, cell,
            samples[place], samples[place + 1], samples[place + 2],
            slope_of_sums, 0, weight, by_depth * samples[place + SLOPE],
        )  # fmt: skip
        for corner in range(8):
            touched[grid.corners[cell * 8 + corner]] = 1


@kernel
def samples_backward(
    grid: Grid,
    count: int,
    samples: Floats,
    cells: Ints,
    by_weight: Floats,
    by_values: Floats,
    gradient: Floats,
    touched: Bytes,
) -> None:
    """Do the same where each sample's values have a gradient of their own.

    Args:
        grid: what was marched through, rows of V numbers.
        count: samples that ``march`` kept.
        samples: as ``march`` wrote them.
        cells: likewise.
        by_weight: (n,) gradient of the loss by the samples' weights, n being ``count`` or more.
        by_values: (n, V) and by their values; the first of each is not read.
        gradient: (rows * V,) this thread's, added to. Row 0 is added to as well, and means nothing.
        touched: (rows,) set to 1 where that was.

    """
    row = len(grid.lanes)
    behind = _ZERO
    for i in range(count - 1, -1, -1):
        place = i * (row + SAMPLE_EXTRA) + row
        weight, opacity = samples[place + WEIGHT], samples[place + OPACITY]
        by_depth = (_ONE - opacity) * samples[place + TRANSMITTANCE] * by_weight[i] - behind
        behind += weight * by_weight[i]
        cell = np.int64(cells[i])
        scatter(
            grid.lanes, gradient, grid.corners, cell,
            samples[place], samples[place + 1], samples[place + 2],
            by_values[i], 0, _ONE, by_depth * samples[place + SLOPE],
        )  # fmt: skip
        for corner in range(8):
            touched[grid.corners[cell * 8 + corner]] = 1
