"""Which cells of a sparse grid are occupied, and the distance to the nearest, by which ``march`` skips."""

from __future__ import annotations

import numpy as np

from nfcore.kernels.absorption import absorbed
from nfcore.kernels.bits import has_bit
from nfcore.kernels.compile import kernel
from nfcore.kernels.records import BLOCK, Bytes, Floats, Grid, Number

#: The largest distance that is stored, in blocks.
MOST_GAP = 15
#: Cells of a block.
CELLS = BLOCK**3


@kernel
def row_opacities(grid: Grid, first: int, last: int, opacities: Floats) -> None:
    """Write the opacity of one step, of ``stretch`` 1, at the rows from ``first`` to ``last``: (rows,)."""
    row = len(grid.lanes)
    for i in range(first, last):
        opacities[i], _ = absorbed(grid.absorption, grid.table[i * row], np.float32(1))


@kernel
def cell_opacities(grid: Grid, first: int, last: int, by_row: Floats, opacities: Floats) -> tuple[float, int]:
    """Write the opacity of one step at the densest corner of each stored cell of some blocks.

    Values between corners are never denser than the densest of them.

    Args:
        grid: the grid.
        first: the first block.
        last: the block after the last; threads take ranges that do not overlap.
        by_row: (rows,) see ``row_opacities``.
        opacities: (cells,) written.

    Returns:
        The sum of the active cells' opacities, and how many there are.

    """
    total: Number = 0.0
    count = 0
    for block in range(first, last):
        stored, cell = grid.stored[block], np.int64(grid.first[block])
        if stored == 0:
            continue
        for bit in range(CELLS):
            if has_bit(stored, np.uint64(bit)):
                densest = np.float32(0)
                for corner in range(cell * 8, cell * 8 + 8):
                    densest = max(densest, by_row[grid.corners[corner]])
                opacities[cell] = densest
                if has_bit(grid.active[block], np.uint64(bit)):
                    total += densest
                    count += 1
                cell += 1
    return total, count


@kernel
def activate(
    grid: Grid, first: int, last: int, candidates: Bytes, opacities: Floats, least: Number, occupied: Bytes
) -> None:
    """Update which stored cells of some blocks are active.

    Args:
        grid: changed: ``active`` only.
        first: the first block.
        last: the block after the last; threads take ranges that do not overlap.
        candidates: (x * y * z,) 0 for a cell that may not be active.
        opacities: (cells,) a cell is active if its opacity is over ``least``.
        least: float32.
        occupied: (x * y * z,) written for stored cells: 1 if active, else 0.

    """
    _, ny, nz = grid.shape
    _, by, bz = grid.blocks
    for block in range(first, last):
        stored, cell = grid.stored[block], np.int64(grid.first[block])
        if stored == 0:
            continue
        x, y, z = block // (by * bz) * BLOCK, block // bz % by * BLOCK, block % bz * BLOCK
        active = np.uint64(0)
        for bit in range(CELLS):
            if has_bit(stored, np.uint64(bit)):
                place = ((x + (bit >> 4)) * ny + y + (bit >> 2 & 3)) * nz + z + (bit & 3)
                full = candidates[place] != 0 and opacities[cell] > least
                occupied[place] = full
                active |= np.uint64(full) << np.uint64(bit)
                cell += 1
        grid.active[block] = active


@kernel
def measure_gaps(grid: Grid) -> None:
    """Write to ``grid.gap`` how far the nearest block with an active cell is, at most ``MOST_GAP``.

    Two sweeps over half of the 26 neighbours each: exact for the maximum norm (Rosenfeld and Pfaltz 1966).
    """
    nx, ny, nz = grid.blocks
    gap = grid.gap
    for i in range(len(gap)):
        gap[i] = 0 if grid.active[i] else MOST_GAP
    for sweep in range(2):
        for i in range(len(gap)):
            place = i if sweep == 0 else len(gap) - 1 - i
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
