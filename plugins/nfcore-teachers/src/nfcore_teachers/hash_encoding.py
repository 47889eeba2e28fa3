"""The multiresolution hash encoding: trilinear look-ups on many grids, the finer of which share hashed tables.

Instant-NGP (Mueller et al. 2022), section 3: equations 1 to 4. Where CUDA and Triton are at hand ``hash_kernel``
does the same in one kernel; this file is the reference.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nfcore.geometry import interpolate
from nfcore_teachers import hash_kernel
from nfcore_teachers.hash_levels import Level, grid_levels

#: Equation 4 multiplies coordinates with these; as signed 32-bit numbers, whose products wrap as unsigned ones do.
PRIMES = (1, 2654435761 - 2**32, 805459861)
#: The features of a new table are uniform within this (section 4).
INITIAL = 1e-4


class HashEncoding(nn.Module):
    """Points of the unit cube to features.

    Args:
        levels: number of grids.
        channels: features at a vertex.
        log2_table: a grid's table has at most 2 to the power of this rows.
        coarsest: cells along each side of the first grid.
        finest: cells along each side of the last grid; between them resolutions grow geometrically.

    Attributes:
        table: (1 + rows of all levels, channels), learned; row 0 is constant and belongs to none.

    """

    def __init__(self, levels: int, channels: int, log2_table: int, coarsest: int, finest: int) -> None:
        super().__init__()
        self.levels = grid_levels(levels, log2_table, coarsest, finest)
        self.table = nn.Parameter(torch.zeros(self.levels[-1].first + self.levels[-1].rows, channels))

    def begin(self, generator: torch.Generator) -> None:
        """Forget all that was learned."""
        drawn = torch.rand(self.table.shape, generator=generator) * 2 - 1
        drawn[0] = 0
        self.table.data = (INITIAL * drawn).to(self.table.device)

    def forward(self, points: Tensor) -> Tensor:
        """Return features (n, levels * channels) of ``points`` (n, 3) in [0, 1]; gradients reach the table."""
        if hash_kernel.usable(points):
            return hash_kernel.encode(points, self.table, self.levels)
        return self.reference(points)

    def reference(self, points: Tensor) -> Tensor:
        """Return what ``forward`` does, by torch's own operations."""
        located = [vertices(points, level) for level in self.levels]
        rows, weights = (torch.stack(parts, 1).flatten(0, 1) for parts in zip(*located, strict=True))
        features = interpolate(self.table, rows, weights)
        return features.view(len(points), len(self.levels) * features.shape[1])


@torch.no_grad()
def vertices(points: Tensor, level: Level) -> tuple[Tensor, Tensor]:
    """Return the table rows (n, 8) int32 of the vertices around ``points`` (n, 3) in [0, 1], and their weights.

    The vertices come with x slowest and z fastest.
    """
    scaled = (points * level.resolution).t()  # whole rows of memory are quicker to work on than triples
    lowest = scaled.floor().clamp_(0, level.resolution - 1)
    cell, side = lowest.int(), level.resolution + 1
    factors = PRIMES if level.hashed else (side * side, side, 1)
    x, y, z = (torch.stack([cell[i] * factors[i], (cell[i] + 1) * factors[i]]) for i in range(3))
    if level.hashed:
        rows = (x[:, None] ^ (y[:, None] ^ z).flatten(0, 1)) & (level.rows - 1)
    else:
        rows = x[:, None] + (y[:, None] + z).flatten(0, 1)
    u, v, w = (torch.stack([1 - inside, inside]) for inside in scaled - lowest)
    weights = u[:, None] * (v[:, None] * w).flatten(0, 1)
    return (rows.flatten(0, 1) + level.first).t(), weights.flatten(0, 1).t()
