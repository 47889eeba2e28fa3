"""Ray marching: the samples of one path on its lattice, past what is empty, until no light is left.

Samples are at ``near + (k + jitter) * step``, k = 0, 1, ..: skipping moves on by whole steps, so that they are the
same ones as without. In active cells, values and opacity are looked up and what the backward pass needs is kept.
"""

from __future__ import annotations

import math

import numpy as np

from nfcore.kernels.absorption import absorbed
from nfcore.kernels.compile import kernel
from nfcore.kernels.interpolation import interpolate_row, prefetch
from nfcore.kernels.paths import MOST_SPEED, bent_place, straight_place
from nfcore.kernels.records import (
    DIRECTION,
    FAR,
    MOST_SAMPLES,
    NEAR,
    OPACITY,
    SAMPLE_EXTRA,
    SLOPE,
    TRANSMITTANCE,
    WEIGHT,
    Floats,
    Grid,
    Ints,
    Number,
)  # fmt: skip
from nfcore.kernels.vectors import add_scaled

_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_SPEED = np.float32(MOST_SPEED)
# Directions with less than this, in cells per unit of distance, never leave a cell to that side.
_PARALLEL, _NEVER = np.float32(1e-9), np.float32(1e9)
# A step that ends this near to a border, in steps, is not skipped: rounding might have put it beyond.
_MARGIN = np.float32(1e-3)


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

    Args:
        path: (PATH_SIZE,) see ``records``.
        jitter: the first sample's place in its step, in [0, 1).
        grid: what is marched through, rows of V numbers.
        least: transmittance at which nothing behind matters.
        samples: (MOST_SAMPLES * (V + 8),) written: each sample's values and what ``composite`` needs.
        cells: (MOST_SAMPLES,) written: each sample's cell.
        sums: (V,) written: opacity, then the sums of weight times value.
        gradient: what ``scatter`` will write to: its rows are asked for in advance, if ``keep``.
        keep: whether samples are kept; otherwise ``samples`` and ``cells`` need room for one.

    """
    row = len(grid.lanes)
    nx, ny, nz = grid.shape
    near, far, step = path[NEAR], path[FAR], grid.step
    dx, dy, dz = path[DIRECTION], path[DIRECTION + 1], path[DIRECTION + 2]
    per_x = _ONE / dx if abs(dx) > _PARALLEL else _NEVER
    per_y = _ONE / dy if abs(dy) > _PARALLEL else _NEVER
    per_z = _ONE / dz if abs(dz) > _PARALLEL else _NEVER
    per_step = _ONE / step
    # Cells of a bent path that are certainly left behind by one step.
    reach = np.float32(2) / (_SPEED * np.float32(max(nx, max(ny, nz))) * step)
    for i in range(row):
        sums[i] = _ZERO
    transmittance, distances = _ONE, _ZERO
    count, kept = 0, 0
    k: Number = np.int64(0)
    while count < MOST_SAMPLES:
        distance = near + (np.float32(k) + jitter) * step
        if not distance < far:
            break
        if grid.bent:
            x, y, z, stretch = bent_place(path, distance, grid.shape)
        else:
            x, y, z, stretch = straight_place(path, distance)
        ix: Number = min(max(np.int64(x), 0), nx - 1)
        iy: Number = min(max(np.int64(y), 0), ny - 1)
        iz: Number = min(max(np.int64(z), 0), nz - 1)
        gap: Number = np.int64(grid.gap[((ix >> 2) * grid.blocks[1] + (iy >> 2)) * grid.blocks[2] + (iz >> 2)])
        cell: Number = np.int64(0)
        if gap == 0:
            cell = np.int64(grid.active[(ix * ny + iy) * nz + iz])
        if cell == 0:
            # The empty cube around: this cell, or all blocks up to those at the distance ``gap``.
            if gap == 0:
                lx, ly, lz, hx, hy, hz = ix, iy, iz, ix + 1, iy + 1, iz + 1
            else:
                lx, hx = ((ix >> 2) - gap + 1) << 2, ((ix >> 2) + gap) << 2
                ly, hy = ((iy >> 2) - gap + 1) << 2, ((iy >> 2) + gap) << 2
                lz, hz = ((iz >> 2) - gap + 1) << 2, ((iz >> 2) + gap) << 2
            if grid.bent:
                leave = min(x - np.float32(lx), min(y - np.float32(ly), z - np.float32(lz)))
                leave = min(leave, min(np.float32(hx) - x, min(np.float32(hy) - y, np.float32(hz) - z))) * reach
            else:
                leave = (np.float32(hx if dx > _ZERO else lx) - x) * per_x
                leave = min(leave, (np.float32(hy if dy > _ZERO else ly) - y) * per_y)
                leave = min(leave, (np.float32(hz if dz > _ZERO else lz) - z) * per_z) * per_step
            k += max(np.int64(1), np.int64(math.ceil(leave - _MARGIN)))
            continue
        fx, fy, fz = x - np.float32(ix), y - np.float32(iy), z - np.float32(iz)
        at = kept * (row + SAMPLE_EXTRA)
        raw = interpolate_row(grid.lanes, grid.table, grid.corners, cell, fx, fy, fz, samples, at)
        if keep:
            prefetch(grid.lanes, gradient, grid.corners, cell)
        opacity, slope = absorbed(grid.absorption, raw, stretch)
        weight = transmittance * opacity
        add_scaled(grid.lanes, sums, 0, weight, samples, at)
        distances += weight * distance
        if keep:
            at += row
            samples[at] = fx
            samples[at + 1] = fy
            samples[at + 2] = fz
            samples[at + TRANSMITTANCE] = transmittance
            samples[at + OPACITY] = opacity
            samples[at + SLOPE] = slope
            samples[at + WEIGHT] = weight
            cells[kept] = cell
            kept += 1
        count += 1
        k += 1
        transmittance *= _ONE - opacity
        if transmittance < least:
            break
    return count, distances
