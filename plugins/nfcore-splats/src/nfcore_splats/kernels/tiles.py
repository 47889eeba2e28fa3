"""The Gaussians that touch each tile, nearest first: a counting sort, which keeps their order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nfcore.kernels import Floats, Ints, kernel
from nfcore_splats.records import CENTRE, HALF, TILE

Longs = NDArray[np.int64]


@kernel
def _range(centre: float, half: float, count: int) -> tuple[int, int]:
    """Return the first and the last of ``count`` tiles in a row that the ellipse may reach."""
    first = max(0, int(np.floor(max(centre - half, 0.0) / TILE)))
    return first, min(count - 1, int(np.floor(min((centre + half) / TILE, 1e6))))


@kernel
def count_tiles(rows: Floats, across: int, starts: Longs) -> None:
    """Write where the entries of each tile start, and at the end how many there are.

    Args:
        rows: (m, COLUMNS) projected Gaussians, all of them seen.
        across: number of tiles in a row.
        starts: (tiles + 1,), zeros before.

    """
    down = (len(starts) - 1) // across
    for i in range(len(rows)):
        left, right = _range(rows[i, CENTRE], rows[i, HALF], across)
        top, bottom = _range(rows[i, CENTRE + 1], rows[i, HALF + 1], down)
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                starts[y * across + x + 1] += 1
    for tile in range(len(starts) - 1):
        starts[tile + 1] += starts[tile]


@kernel
def fill_tiles(rows: Floats, across: int, starts: Longs, filled: Longs, entries: Ints) -> None:
    """Write the numbers of each tile's Gaussians.

    Args:
        rows: (m, COLUMNS) projected Gaussians, nearest first.
        across: number of tiles in a row.
        starts: (tiles + 1,) from ``count_tiles``.
        filled: (tiles,), zeros before.
        entries: written.

    """
    down = (len(starts) - 1) // across
    for i in range(len(rows)):
        left, right = _range(rows[i, CENTRE], rows[i, HALF], across)
        top, bottom = _range(rows[i, CENTRE + 1], rows[i, HALF + 1], down)
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                tile = y * across + x
                entries[starts[tile] + filled[tile]] = i
                filled[tile] += 1
