"""The backward pass of compositing: from the gradient of a ray's sums to each sample's rows.

With weights w_i = T_i a_i, light T_i, opacities a_i = 1 - exp(-d_i) and sums S = sum_i w_i v_i, a gradient g of S
is one of d_i: (1 - a_i) T_i (v_i.g) - sum_{j > i} w_j (v_j.g). A thicker sample dims what is behind it.
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
