"""Ray marching: the samples of one path, looked up, weighed and summed until no light is left."""

from __future__ import annotations

import numpy as np

from nfcore.kernels.absorption import absorbed
from nfcore.kernels.compile import kernel
from nfcore.kernels.interpolation import interpolate_row
from nfcore.kernels.prefetching import prefetch_corners
from nfcore.kernels.records import (
    AHEAD,
    DISTANCE,
    MOST_SAMPLES,
    OPACITY,
    SAMPLE_EXTRA,
    SLOPE,
    STRETCH_THERE,
    TRANSMITTANCE,
    WEIGHT,
    Floats,
    Grid,
    Ints,
    Number,
)
from nfcore.kernels.traversal import traverse
from nfcore.kernels.vectors import add_scaled

_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def march(
    path: Floats,
    jitter: Number,
    grid: Grid,
    least: Number,
    samples: Floats,
    cells: Ints,
    sums: Floats,
    gradient: Floats,
    keep: bool,
) -> tuple[int, Number]:
    """March along one path; return how many samples it has, and the sum of their distances times their weights.

    Samples are found ``AHEAD`` at a time before the first of them is looked up: their rows are prefetched by then.

    Args:
        path: (PATH_SIZE,) see ``records``.
        jitter: the first sample's place in its step, in [0, 1).
        grid: what is marched through, rows of V numbers.
        least: transmittance at which nothing behind matters.
        samples: (MOST_SAMPLES * (V + 8),) written: each sample's values and what ``composite`` needs.
        cells: (MOST_SAMPLES,) written: each sample's cell.
        sums: (V,) written: opacity, then the sums of weight times value.
        gradient: what ``scatter`` will write to: its rows are prefetched, if ``keep``.
        keep: whether samples are kept; otherwise ``samples`` and ``cells`` need room for ``AHEAD``.

    """
    row = len(grid.lanes)
    for i in range(row):
        sums[i] = _ZERO
    transmittance, distances = _ONE, _ZERO
    count = 0
    k: Number = np.int64(0)
    while count < MOST_SAMPLES:
        first = count if keep else 0
        last, k = traverse(path, jitter, grid, k, first, first + AHEAD, samples, cells)
        for sample in range(first, last):
            prefetch_corners(grid.lanes, grid.table, grid.corners, np.int64(cells[sample]))
            if keep:
                prefetch_corners(grid.lanes, gradient, grid.corners, np.int64(cells[sample]))
        for sample in range(first, last):
            at = sample * (row + SAMPLE_EXTRA)
            place = at + row
            fx, fy, fz = samples[place], samples[place + 1], samples[place + 2]
            raw = interpolate_row(
                grid.lanes, grid.table, grid.corners, np.int64(cells[sample]), fx, fy, fz, samples, at
            )
            opacity, slope = absorbed(grid.absorption, raw, samples[place + STRETCH_THERE])
            weight = transmittance * opacity
            add_scaled(grid.lanes, sums, 0, weight, samples, at)
            distances += weight * samples[place + DISTANCE]
            samples[place + TRANSMITTANCE] = transmittance
            samples[place + OPACITY] = opacity
            samples[place + SLOPE] = slope
            samples[place + WEIGHT] = weight
            count += 1
            transmittance *= _ONE - opacity
            if transmittance < least:
                return count, distances
        if last < first + AHEAD:
            break
    return count, distances
