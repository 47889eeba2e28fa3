"""A sparse voxel grid: values at the vertices around what is occupied, and nothing anywhere else.

Plenoxels (Fridovich-Keil et al. 2022) and DVGO (Sun et al. 2022) keep density and colour at a grid's vertices and
interpolate them trilinearly; as in Plenoxels, only vertices that matter have values.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nfcore import Scene
from nfcore.geometry import interpolate
from nfcore_teachers.domains import domain_box
from nfcore_teachers.interpolation import Shape, corner_offsets, locate
from nfcore_teachers.occupancy import OccupancyGrid, dilated, proportional_shape

#: Vertices whose values are interpolated at once.
CHUNK = 65536
# A cell's lowest corner and its neighbours along z, y and x, in the order of ``corner_offsets``.
_CORNER_AND_NEIGHBOURS = [0, 1, 2, 4]


class SparseGrid(nn.Module):
    """Density and features at some vertices of a grid over the scene's domain; it has none until ``rebuild``.

    Row 0 of both tables stands for all vertices that are not stored: it is constant, ``empty`` and zeros.

    Args:
        scene: gives the domain.
        channels: number of features c at a vertex.
        empty: raw density where nothing is stored.

    Attributes:
        shape: number of vertices along x, y and z.
        vertices: (v,) int64, sorted linear indices of the stored vertices, saved.
        density: (v + 1, 1) raw density, learned.
        features: (v + 1, c) features, learned.

    """

    resolution: Tensor
    vertices: Tensor
    low: Tensor
    size: Tensor
    cell_number: Tensor
    cell_rows: Tensor

    def __init__(self, scene: Scene, channels: int, empty: float) -> None:
        super().__init__()
        self.scene = scene
        self.empty = empty
        low, high = (torch.tensor(corner) for corner in domain_box(scene))
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("size", high - low, persistent=False)
        self.register_buffer("resolution", torch.tensor(1))
        self.register_buffer("vertices", torch.zeros(0, dtype=torch.int64))
        self.density = nn.Parameter(torch.full((1, 1), empty))
        self.features = nn.Parameter(torch.zeros(1, channels))
        self.register_buffer("cell_number", torch.zeros(0), persistent=False)
        self.register_buffer("cell_rows", torch.zeros(0), persistent=False)
        self.index()

    @property
    def spacing(self) -> Tensor:
        """Distance between neighbouring vertices (3,), in the domain's units."""
        return self.size / (torch.tensor(self.shape, device=self.size.device) - 1)

    def locate(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the table rows (n, 8) int32 around ``points`` (n, 3) of the domain, and their weights (n, 8)."""
        cells, weights = locate((points - self.low) / self.spacing, self.shape)
        return self.cell_rows.index_select(0, self.cell_number.index_select(0, cells)), weights

    @torch.no_grad()
    def rebuild(
        self, resolution: int, occupancy: OccupancyGrid, density: float, generator: torch.Generator
    ) -> None:
        """Store vertices at a new resolution around what is occupied, with the values that were there before.

        A grid that had no vertices begins at ``density`` and normally distributed features (deviation 0.1).
        Replaces the parameters: whoever optimises them begins anew.

        Args:
            resolution: number of voxels along the domain's longest side.
            occupancy: what is occupied; one cell around it is stored too, so that surfaces can still move.
            density: raw density of a first grid.
            generator: draws the features of a first grid.

        """
        shape = vertex_shape(self.scene, resolution)
        vertices = vertices_around(dilated(occupancy.occupied, 1), shape).flatten().nonzero()[:, 0]
        rows, channels = len(vertices) + 1, self.features.shape[1]
        new_density = self.density.new_full((rows, 1), self.empty)
        new_features = self.features.new_zeros(rows, channels)
        if len(self.vertices):
            spacing = self.size / (torch.tensor(shape, device=self.size.device) - 1)
            for start in range(0, len(vertices), CHUNK):
                part = vertices[start : start + CHUNK]
                places = torch.stack(torch.unravel_index(part, shape), 1)
                around = self.locate(self.low + places * spacing)
                new_density[1 + start : 1 + start + CHUNK] = interpolate(self.density, *around)
                new_features[1 + start : 1 + start + CHUNK] = interpolate(self.features, *around)
        else:
            new_density[1:] = density
            new_features[1:] = 0.1 * torch.randn(rows - 1, channels, generator=generator).to(new_features.device)
        self.resolution.fill_(resolution)
        self.vertices = vertices
        self.density, self.features = nn.Parameter(new_density), nn.Parameter(new_features)
        self.index()

    def roughness(self, cells: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the squared total variation of density and of features: one number each, differentiable.

        Squared differences between neighbours along x, y and z, summed over axes and channels; their mean over
        ``cells`` cells drawn by ``generator``, as a look at all of them would take longer than the photos' part
        of a step (Plenoxels, Fridovich-Keil et al. 2022, section 3.4, which has the root of that sum).
        """
        drawn = torch.randint(1, len(self.cell_rows), (cells,), generator=generator).to(self.cell_rows.device)
        rows = self.cell_rows[drawn][:, _CORNER_AND_NEIGHBOURS].long()
        rows = rows[(rows > 0).all(1)]  # what is not stored is no neighbour
        return _squared_differences(self.density[rows]), _squared_differences(self.features[rows])

    def take_shape(self, vertices: int) -> None:
        """Make room for the values of so many vertices, to be loaded."""
        self.vertices = self.vertices.new_zeros(vertices)
        self.density = nn.Parameter(self.density.new_zeros(vertices + 1, 1))
        self.features = nn.Parameter(self.features.new_zeros(vertices + 1, self.features.shape[1]))

    @torch.no_grad()
    def index(self) -> None:
        """Derive from ``vertices`` what a look-up needs: each cell's number, and its corners' rows side by side.

        One small table by cell costs a look-up two gathers; a dense map of vertices would cost it eight.
        """
        self.shape = vertex_shape(self.scene, int(self.resolution))
        device = self.vertices.device
        row = torch.zeros(self.shape, dtype=torch.int32, device=device)
        row.view(-1)[self.vertices] = torch.arange(1, len(self.vertices) + 1, dtype=torch.int32, device=device)
        used = row > 0
        for axis in range(3):  # a cell is used if any of its corners is, the lowest of which it is named after
            low, high = (used.narrow(axis, first, used.shape[axis] - 1) for first in (0, 1))
            used = nn.functional.pad((low | high), [0, int(axis == 2), 0, int(axis == 1), 0, int(axis == 0)])
        cells = used.flatten().nonzero()[:, 0]
        self.cell_number = torch.zeros(row.numel(), dtype=torch.int32, device=device)
        self.cell_number[cells] = torch.arange(1, len(cells) + 1, dtype=torch.int32, device=device)
        corners = row.flatten()[cells[:, None] + corner_offsets(self.shape, device)]
        self.cell_rows = torch.cat([corners.new_zeros(1, 8), corners])


def _squared_differences(values: Tensor) -> Tensor:
    """Return the mean over cells (n, 4, c) of squared differences to the first corner; 0 without cells."""
    return (values[:, 1:] - values[:, :1]).square().sum() / max(1, len(values))


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
