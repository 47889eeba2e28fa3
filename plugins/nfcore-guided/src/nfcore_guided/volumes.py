"""Values in the cube that are looked up at points: one table for training, two forms of it for exports.

All three take x, y and z in the cube, (b, k, h, w) each, and return (b, k * c, h, w): c values for each point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nfcore.geometry import interpolate
from nfcore_guided.lattice import corner_weights, corners, locate


class FeatureTable(nn.Module):
    """Learned features at the vertices around occupied cells; all other vertices share the features of row 0.

    Args:
        resolution: vertices along each axis of the cube.
        channels: features c at a vertex.

    Attributes:
        occupied: (resolution^3,) bool, the vertices that have features of their own; none until ``occupy``.
        table: (v + 1, c), learned.

    """

    occupied: Tensor
    rows: Tensor
    offsets: Tensor

    def __init__(self, resolution: int, channels: int) -> None:
        super().__init__()
        self.resolution = resolution
        self.channels = channels
        self.register_buffer("occupied", torch.zeros(resolution**3, dtype=torch.bool))
        self.register_buffer("rows", torch.zeros(resolution**3, dtype=torch.int32), persistent=False)
        offsets = torch.tensor(corners(resolution), dtype=torch.int32)
        self.register_buffer("offsets", offsets, persistent=False)
        self.table = nn.Parameter(torch.zeros(1, channels))

    def occupy(self, occupied: Tensor, features: Tensor) -> None:
        """Set the initial ``features`` (v, c) of the vertices where ``occupied`` (resolution^3,) bool is true."""
        self.occupied.copy_(occupied)
        device = self.table.device
        self.table = nn.Parameter(torch.cat([features.new_zeros(1, self.channels), features]).to(device))
        self._number()

    def forward(self, xyz: Sequence[Tensor]) -> Tensor:
        """Return features (b, k * c, h, w). Gradients flow to the table."""
        batch, points, height, width = xyz[0].shape
        with torch.no_grad():
            cells, within = locate(xyz, self.resolution)
            rows = self.rows.index_select(0, (cells.reshape(-1, 1) + self.offsets).reshape(-1)).reshape(-1, 8)
            weights = torch.stack(corner_weights([place.reshape(-1) for place in within]), 1)
        features = interpolate(self.table, rows, weights.to(self.table.dtype))
        by_point = features.reshape(batch, points, height, width, self.channels).permute(0, 1, 4, 2, 3)
        return by_point.flatten(1, 2)

    def dense(self) -> Tensor:
        """Return the features of all vertices, (resolution^3, c)."""
        return self.table.detach()[self.rows.long()]

    def _number(self) -> None:
        self.rows.zero_()
        numbers = torch.arange(1, len(self.table), dtype=torch.int32, device=self.rows.device)
        self.rows[self.occupied] = numbers

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Resize the table to that of the loaded state, and number its rows again."""
        table = state_dict.get(f"{prefix}table")
        if table is not None and table.ndim == 2 and table.shape != self.table.shape:
            self.table = nn.Parameter(self.table.new_zeros(len(table), self.channels))
        super()._load_from_state_dict(state_dict, prefix, *args)
        if int(self.occupied.sum()) + 1 == len(self.table):
            self._number()
        else:
            args[-1].append(f"{prefix}occupied and {prefix}table are of different students")


class Volume(nn.Module):
    """A dense volume, sampled with a five-dimensional ``grid_sample``, for targets that support it.

    Args:
        values: (resolution^3, c).
        half: keep the values in float16.

    """

    values: Tensor

    def __init__(self, values: Tensor, half: bool = False) -> None:
        super().__init__()
        self.channels = values.shape[1]
        side = round(len(values) ** (1 / 3))
        stored = values.t().reshape(1, self.channels, side, side, side).contiguous()
        self.register_buffer("values", stored.half() if half else stored)

    def fill(self, values: Tensor) -> None:
        """Replace the values, (resolution^3, c)."""
        self.values.copy_(values.t().reshape(self.values.shape))

    def flat(self) -> Tensor:
        """Return the values as given to ``fill``, (resolution^3, c)."""
        return self.values.flatten(2)[0].t()

    def forward(self, xyz: Sequence[Tensor]) -> Tensor:
        """Return values (b, k * c, h, w), trilinearly interpolated."""
        batch, points, height, width = xyz[0].shape
        grid = torch.stack(tuple(xyz)[::-1], -1).reshape(1, -1, height, width, 3)
        values = self.values.to(grid.dtype)
        found = F.grid_sample(values, grid, mode="bilinear", padding_mode="border", align_corners=True)
        by_point = found.reshape(self.channels, batch, points, height * width).permute(1, 2, 0, 3)
        return by_point.reshape(batch, points * self.channels, height, width)


class GatheredVolume(nn.Module):
    """The same with gathers and products, for targets that can't sample volumes.

    Args:
        rows: (resolution^3,) int32, each vertex's row in the table; None where row and vertex index are the same.
        table: (v, c).
        resolution: vertices along each axis.
        half: keep the table in float16.

    """

    rows: Tensor | None
    table: Tensor

    def __init__(self, table: Tensor, resolution: int, rows: Tensor | None = None, half: bool = False) -> None:
        super().__init__()
        self.resolution = resolution
        self.channels = table.shape[1]
        self.register_buffer("rows", rows)
        self.register_buffer("table", table.half() if half else table)

    def forward(self, xyz: Sequence[Tensor]) -> Tensor:
        """Return values (b, k * c, h, w), trilinearly interpolated."""
        batch, points, height, width = xyz[0].shape
        cells, within = locate(xyz, self.resolution)
        cells = cells.reshape(-1)
        weights = corner_weights([place.reshape(-1, 1) for place in within])
        total: Tensor | None = None
        for offset, weight in zip(corners(self.resolution), weights, strict=True):
            vertex = cells + offset
            row = vertex if self.rows is None else self.rows.index_select(0, vertex)
            share = weight * self.table.index_select(0, row).to(weight.dtype)
            total = share if total is None else total + share
        assert total is not None
        by_point = total.reshape(batch, points, height * width, self.channels).permute(0, 1, 3, 2)
        return by_point.reshape(batch, points * self.channels, height, width)
