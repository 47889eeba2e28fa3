"""Grid traversal: the samples of a path's lattice that are in active cells; empty space is skipped.

Samples are at ``near + (k + jitter) * step``, k = 0, 1, ..: skipping moves on by whole steps, so that they are the
same ones as without.
"""

from __future__ import annotations

import math

import numpy as np

from nfcore.kernels.bits import count_bits, has_bit
from nfcore.kernels.compile import kernel
from nfcore.kernels.paths import MOST_SPEED, bent_place, straight_place
from nfcore.kernels.prefetching import prefetch_row
from nfcore.kernels.records import (
    DIRECTION,
    DISTANCE,
    FAR,
    NEAR,
    SAMPLE_EXTRA,
    STRETCH_THERE,
    Floats,
    Grid,
    Ints,
    Number,
)

_ZERO, _ONE = np.float32(0), np.float32(1)
_SPEED = np.float32(MOST_SPEED)
# Directions with less than this, in cells per unit of distance, never leave a cell to that side.
_PARALLEL, _NEVER = np.float32(1e-9), np.float32(1e9)
# A step that ends this near to a border, in steps, is not skipped: rounding might have put it beyond.
_MARGIN = np.float32(1e-3)


@kernel
def traverse(
    path: Floats,
    jitter: Number,
    grid: Grid,
    k: Number,
    first: int,
    last: int,
    samples: Floats,
    cells: Ints,
) -> tuple[int, int]:
    """Find the next samples of a path; return where they end in ``samples`` and on the lattice.

    Each cell's corners are prefetched, long before they are read.

    Args:
        path: (PATH_SIZE,) see ``records``.
        jitter: the first sample's place in its step, in [0, 1).
        grid: what is traversed, rows of V numbers.
        k: where on the lattice to begin.
        first: where in ``samples`` the next one belongs.
        last: where there is no more room.
        samples: (n * (V + 8),) written: each sample's place in its cell, distance and stretch.
        cells: (n,) written: each sample's cell.

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
    while first < last:
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
        block: Number = ((ix >> 2) * grid.blocks[1] + (iy >> 2)) * grid.blocks[2] + (iz >> 2)
        bit: Number = np.uint64(((ix & 3) << 4) | ((iy & 3) << 2) | (iz & 3))
        gap: Number = np.int64(grid.gap[block])
        if gap > 0 or not has_bit(grid.active[block], bit):
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
        before = grid.stored[block] & ((np.uint64(1) << bit) - np.uint64(1))
        cell: Number = np.int64(grid.first[block]) + count_bits(before)
        prefetch_row(grid.corners, cell * 8)
        at = first * (row + SAMPLE_EXTRA) + row
        samples[at] = x - np.float32(ix)
        samples[at + 1] = y - np.float32(iy)
        samples[at + 2] = z - np.float32(iz)
        samples[at + DISTANCE] = distance
        samples[at + STRETCH_THERE] = stretch
        cells[first] = cell
        first += 1
        k += 1
    return first, k
