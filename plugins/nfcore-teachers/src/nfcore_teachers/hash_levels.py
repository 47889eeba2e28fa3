"""The grids of a multiresolution hash encoding: how fine each is, and which rows of the shared table are its own.

Instant-NGP (Mueller et al. 2022), section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """One grid.

    Args:
        resolution: cells along each side of the unit cube.
        first: its first row in the table.
        rows: how many rows it has: one a vertex, or the hash table's size where it has more vertices.

    """

    resolution: int
    first: int
    rows: int

    @property
    def hashed(self) -> bool:
        """Whether vertices share rows."""
        return (self.resolution + 1) ** 3 > self.rows


def grid_levels(levels: int, log2_table: int, coarsest: int, finest: int) -> list[Level]:
    """Return the grids from the coarsest to the finest, their rows one after another from row 1 (equations 2, 3).

    Args:
        levels: number of grids.
        log2_table: a grid has at most 2 to the power of this rows.
        coarsest: cells along each side of the first grid.
        finest: cells along each side of the last grid; between them resolutions grow geometrically.

    """
    growth = math.exp(math.log(finest / coarsest) / max(1, levels - 1))
    grids: list[Level] = []
    first = 1
    for level in range(levels):
        resolution = int(coarsest * growth**level + 1e-6)
        rows = min(2**log2_table, (resolution + 1) ** 3)
        grids.append(Level(resolution, first, rows))
        first += rows
    return grids
