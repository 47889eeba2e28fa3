"""Which cells of a sparse grid matter now, and how far it is to the next one: what ``march`` skips by."""

from __future__ import annotations

import numpy as np

from nfcore.kernels.absorption import absorbed
from nfcore.kernels.compile import kernel
from nfcore.kernels.records import Bytes, Floats, Grid, Ints, Number

#: The largest distance that is told, in blocks.
MOST_GAP = 15
_LEAST_RAW = np.float32(-1e9)


@kernel
def cell_opacities(grid: Grid, first: int, last: int, opacities: Floats) -> None:
    """Write how much one step absorbs at the densest corner of each stored cell from ``first`` to ``last``.

    ``opacities`` (cells,): values between corners are never denser than the densest of them. Steps are as long
    as where ``stretch`` is 1.
    """
    row = len(grid.lanes)
    for cell in range(first, last):
        densest = _LEAST_RAW
        for corner in range(8):
            densest = max(densest, grid.table[np.int64(grid.corners[cell * 8 + corner]) * row])
        opacities[cell], _ = absorbed(grid.absorption, densest, np.float32(1))


@kernel
def activate(
    grid: Grid,
    cells: int,
    places: Ints,
    candidates: Bytes,
    opacities: Floats,
    least: Number,
    full: Bytes,
    occupied: Bytes,
) -> None:
    """Find out which stored cells are active, and which blocks have one.

    Args:
        grid: changed: ``active`` only.
        cells: number of cells, including the one that all cells without a row share.
        places: (cells,) where each is in ``active``.
        candidates: (x * y * z,) 0 for a place that may not be active.
        opacities: (cells,) a cell is active if its own is over ``least``.
        least: float32.
        full: (blocks,) 1 is written where a block has an active cell; nothing else is.
        occupied: (x * y * z,) written at the places of stored cells: 1 if active, else 0.

    """
    _, ny, nz = grid.shape
    for cell in range(1, cells):
        place = np.int64(places[cell])
        if candidates[place] and opacities[cell] > least:
            grid.active[place] = cell
            occupied[place] = 1
            x, y, z = place // (ny * nz), place // nz % ny, place % nz
            full[((x >> 2) * grid.blocks[1] + (y >> 2)) * grid.blocks[2] + (z >> 2)] = 1
        else:
            grid.active[place] = 0
            occupied[place] = 0


@kernel
def measure_gaps(grid: Grid, full: Bytes) -> None:
    """Write to ``grid.gap`` how far the nearest full block is, at most ``MOST_GAP``.

    Two sweeps over half of the 26 neighbours each: exact for the maximum norm (Rosenfeld and Pfaltz 1966).
    """
    nx, ny, nz = grid.blocks
    gap = grid.gap
    for i in range(len(full)):
        gap[i] = 0 if full[i] else MOST_GAP
    for sweep in range(2):
        for i in range(len(full)):
            place = i if sweep == 0 else len(full) - 1 - i
            least = np.int64(gap[place])
            if least == 0:
                continue
            x, y, z = place // (ny * nz), place // nz % ny, place % nz
            for neighbour in range(13):  # those before in this sweep's order
                ox, oy, oz = neighbour // 9 - 1, neighbour // 3 % 3 - 1, neighbour % 3 - 1
                if sweep == 1:
                    ox, oy, oz = -ox, -oy, -oz
                if 0 <= x + ox < nx and 0 <= y + oy < ny and 0 <= z + oz < nz:
                    other = np.int64(gap[((x + ox) * ny + y + oy) * nz + z + oz])
                    least = min(least, other + 1)
            gap[place] = least
