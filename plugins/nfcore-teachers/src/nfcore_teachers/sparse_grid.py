"""A sparse voxel grid: values at the vertices around what is occupied, and nothing anywhere else.

Plenoxels (Fridovich-Keil et al. 2022) and DVGO (Sun et al. 2022) keep density and colour at a grid's vertices and
interpolate them trilinearly; as in Plenoxels, only vertices that matter have values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from nfcore import Scene
from nfcore.geometry import corner_offsets, domain_box, interpolate, locate
from nfcore.kernels import BLOCK, block_shape
from nfcore.runtime import require_memory
from nfcore_teachers.occupancy import OccupancyGrid, Shape, dilated, proportional_shape

#: Greatest number of voxels along the domain's longest side.
FINEST = 1024
#: Cells in a row whose roughness is looked at: those of a block.
RUN = BLOCK**3
#: What a table takes while it is fitted: itself, Adam's two moments and the gradients of two threads. An index
#: of 8 corners in 32 bits belongs to about each vertex.
COPIES, INDEX_BYTES = 5, 48
#: Vertices whose values are interpolated at once.
CHUNK = 65536
# A cell's lowest corner and its neighbours along z, y and x, in the order of ``corner_offsets``.
_CORNER_AND_NEIGHBOURS = [0, 1, 2, 4]


class SparseGrid(nn.Module):
    """A table of values at some vertices of a grid over the scene's domain; it has none until ``rebuild``.

    Args:
        scene: gives the domain.
        empty: the c values of vertices that are not stored.

    Attributes:
        table: (v + 1, c), learned. Row 0 stands for all vertices that are not stored: it is constant.
        shape: number of vertices along x, y and z.
        vertices: (v,) int64, linear indices of the stored vertices, saved. Those of a block of 4^3 are next to
            each other: what a ray looks up is near each other in memory.
        cells: (n,) int64, linear indices of the lowest corners of cells with a stored corner, block by block.
        cell_rows: (n + 1, 8) int32, the rows of their corners, in the order of ``corner_offsets``; row 0 stands
            for all other cells.

    """

    resolution: Tensor
    vertices: Tensor
    cells: Tensor
    low: Tensor
    size: Tensor
    cell_number: Tensor
    cell_rows: Tensor

    def __init__(self, scene: Scene, empty: Sequence[float]) -> None:
        super().__init__()
        self.scene, self.empty = scene, tuple(empty)
        low, high = (torch.tensor(corner) for corner in domain_box(scene))
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("size", high - low, persistent=False)
        self.register_buffer("resolution", torch.tensor(1))
        self.register_buffer("vertices", torch.zeros(0, dtype=torch.int64))
        self.table = nn.Parameter(torch.tensor([self.empty], dtype=torch.float32))
        self.register_buffer("cells", torch.zeros(0), persistent=False)
        self.register_buffer("cell_number", torch.zeros(0), persistent=False)
        self.register_buffer("cell_rows", torch.zeros(0), persistent=False)
        self.index()

    @property
    def spacing(self) -> Tensor:
        """Distance between neighbouring vertices (3,), in the domain's units."""
        return self.size / (torch.tensor(self.shape, device=self.size.device) - 1)

    @property
    def cell_shape(self) -> Shape:
        """Number of cells along x, y and z."""
        x, y, z = self.shape
        return x - 1, y - 1, z - 1

    def cell_places(self) -> Tensor:
        """Return (n,) int64: the linear indices of ``cells`` among all cells instead of all vertices."""
        x, y, z = torch.unravel_index(self.cells, self.shape)
        return (x * self.cell_shape[1] + y) * self.cell_shape[2] + z

    def bounds(self) -> tuple[Tensor, Tensor]:
        """Return the lower and the upper corner (3,) of what is stored; equal where nothing is."""
        if not len(self.cells):
            return self.low, self.low
        places = torch.stack(torch.unravel_index(self.cells, self.shape), 1)
        return self.low + places.amin(0) * self.spacing, self.low + (places.amax(0) + 1) * self.spacing

    def locate(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the table rows (n, 8) int32 around ``points`` (n, 3) of the domain, and their weights (n, 8)."""
        cells, weights = locate((points - self.low) / self.spacing, self.shape)
        return self.cell_rows.index_select(0, self.cell_number.index_select(0, cells)), weights

    @torch.no_grad()
    def rebuild(self, resolution: int, occupancy: OccupancyGrid, first: Callable[[int], Tensor]) -> None:
        """Store vertices at a new resolution around what is occupied, with the values that were there before.

        Replaces the table: whoever optimises it starts again.

        Args:
            resolution: number of voxels along the domain's longest side.
            occupancy: what is occupied; one cell around it is stored too, so that surfaces can still move.
            first: values (n, c) of a grid that had no vertices, for n.

        Raises:
            UserError: it would not fit into memory together with what optimises it.

        """
        shape = vertex_shape(self.scene, resolution)
        vertices = by_block(
            vertices_around(dilated(occupancy.occupied, 1), shape).flatten().nonzero()[:, 0], shape
        )
        rows = len(vertices)
        size = rows * (COPIES * 4 * len(self.empty) + INDEX_BYTES)
        what = f"a grid of {resolution} voxels with {rows / 1e6:.1f} million vertices"
        require_memory(size, vertices.device, what, "lower teacher.resolution")
        table = self.table.new_tensor(self.empty).repeat(rows + 1, 1)
        if len(self.vertices):
            spacing = self.size / (torch.tensor(shape, device=self.size.device) - 1)
            for start in range(0, rows, CHUNK):
                part = vertices[start : start + CHUNK]
                places = torch.stack(torch.unravel_index(part, shape), 1)
                found = self.locate(self.low + places * spacing)
                table[1 + start : 1 + start + CHUNK] = interpolate(self.table, *found)
        else:
            table[1:] = first(rows).to(table.device)
        self.resolution.fill_(resolution)
        self.vertices, self.table = vertices, nn.Parameter(table)
        self.index()

    def roughness(self, cells: int, generator: torch.Generator) -> Tensor:
        """Return the squared total variation (c,) of each of the values; differentiable.

        Squared differences between neighbours along x, y and z, summed over axes; their mean over ``cells`` cells
        drawn by ``generator``, as a look at all of them would take longer than the photos' part of a step
        (Plenoxels, Fridovich-Keil et al. 2022, section 3.4, which has the root of that sum).
        """
        rows = self.cell_rows[self.draw_cells(cells, generator)][:, _CORNER_AND_NEIGHBOURS].long()
        rows = rows[(rows > 0).all(1)]  # what is not stored is no neighbour
        values = self.table[rows]  # (n, 4, c)
        return (values[:, 1:] - values[:, :1]).square().sum((0, 1)) / max(1, len(values))

    def draw_cells(self, cells: int, generator: torch.Generator) -> Tensor:
        """Return about ``cells`` random places in ``cell_rows``, all of cells with a stored corner: int64.

        They are runs of neighbours: what is next to each other in memory is read many times as fast.
        """
        stored = len(self.cell_rows) - 1
        run = min(RUN, stored)
        starts = torch.randint(1, stored - run + 2, (max(1, cells // run),), generator=generator)
        return (starts[:, None] + torch.arange(run)).flatten().to(self.cell_rows.device)

    def take_shape(self, vertices: int) -> None:
        """Make room for the values of so many vertices, to be loaded."""
        self.vertices = self.vertices.new_zeros(vertices)
        self.table = nn.Parameter(self.table.new_zeros(vertices + 1, len(self.empty)))

    @torch.no_grad()
    def index(self) -> None:
        """Derive from ``vertices`` what a look-up needs: each cell's number, and its corners' rows side by side.

        One small table by cell costs a look-up two gathers; a dense map of vertices would cost it eight.
        """
        if not 1 <= int(self.resolution) <= FINEST:
            raise ValueError(f"grid.resolution is {int(self.resolution)}, not 1 to {FINEST}")
        self.shape = vertex_shape(self.scene, int(self.resolution))
        count, stored = math.prod(self.shape), self.vertices
        if stored.ndim != 1 or (len(stored) and not 0 <= int(stored.min()) <= int(stored.max()) < count):
            raise ValueError(f"grid.vertices are not the numbers of vertices, 0 to {count - 1}")
        device = self.vertices.device
        row = torch.zeros(self.shape, dtype=torch.int32, device=device)
        row.view(-1)[self.vertices] = torch.arange(1, len(self.vertices) + 1, dtype=torch.int32, device=device)
        used = row > 0
        if int(used.sum()) != len(stored):
            raise ValueError("grid.vertices has a vertex twice")
        for axis in range(3):  # a cell is used if any of its corners is, the lowest of which it is named after
            low, high = (used.narrow(axis, first, used.shape[axis] - 1) for first in (0, 1))
            used = nn.functional.pad((low | high), [0, int(axis == 2), 0, int(axis == 1), 0, int(axis == 0)])
        self.cells = by_block(used.flatten().nonzero()[:, 0], self.shape)
        self.cell_number = torch.zeros(row.numel(), dtype=torch.int32, device=device)
        self.cell_number[self.cells] = torch.arange(1, len(self.cells) + 1, dtype=torch.int32, device=device)
        # One corner at a time: all at once would take 64 bytes a cell more.
        corners = torch.stack([row.view(-1)[self.cells + offset] for offset in corner_offsets(self.shape)], 1)
        self.cell_rows = torch.cat([corners.new_zeros(1, 8), corners])


def stored_cells(grid: SparseGrid) -> Tensor:
    """Return (x, y, z) bool: the cells with a stored corner."""
    cells = torch.zeros(grid.cell_shape, dtype=torch.bool, device=grid.cells.device)
    cells.view(-1)[grid.cell_places()] = True
    return cells


def corners_of(cells: Tensor) -> Tensor:
    """Return (x + 1, y + 1, z + 1) bool: the vertices that are corners of set cells (x, y, z)."""
    for axis in range(3):
        edge = torch.zeros_like(cells.narrow(axis, 0, 1))
        cells = torch.cat([edge, cells], axis) | torch.cat([cells, edge], axis)
    return cells


def by_block(indices: Tensor, shape: Shape) -> Tensor:
    """Return linear ``indices`` (n,) of places in ``shape``, those of a block of 4^3 next to each other."""
    places = block_places(torch.unravel_index(indices, shape), block_shape(shape))
    return indices[places.argsort()]


def block_places(places: tuple[Tensor, ...], blocks: Shape) -> Tensor:
    """Return (n,) int64: where x, y, z (n,) are in an order that goes block by block, x slowest."""
    outer, inner = torch.zeros_like(places[0]), torch.zeros_like(places[0])
    for place, count in zip(places, blocks, strict=True):
        outer = outer * count + place // BLOCK
        inner = inner * BLOCK + place % BLOCK
    return outer * BLOCK**3 + inner


def vertex_shape(scene: Scene, resolution: int) -> Shape:
    """Return the number of vertices of a grid with ``resolution`` voxels along the domain's longest side."""
    x, y, z = proportional_shape(scene, resolution)
    return x + 1, y + 1, z + 1


def vertices_around(cells: Tensor, shape: Shape) -> Tensor:
    """Return which vertices of a grid of ``shape`` are corners of a voxel that meets a set cell: ``shape`` bool.

    ``cells`` (x, y, z) bool is a grid over the same box with its own resolution. The overlap is a product over
    axes, so it is counted by one matrix product per axis.
    """
    count = cells.float()
    for axis in range(3):
        per_voxel = cells.shape[axis] / (shape[axis] - 1)
        vertex = torch.arange(shape[axis], device=cells.device)[:, None] * per_voxel
        cell = torch.arange(cells.shape[axis], device=cells.device)
        touches = (vertex > cell - per_voxel) & (vertex < cell + 1 + per_voxel)
        count = torch.tensordot(count, touches.float(), ([0], [1])).clamp(max=1)
    return count > 0
