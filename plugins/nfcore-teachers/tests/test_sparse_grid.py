import pytest
import torch

from nfcore import Scene
from nfcore_teachers.occupancy import OccupancyGrid
from nfcore_teachers.sparse_grid import SparseGrid

SCENE = Scene(near=1.0, far=9.0, box=((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)))


def grid_of(occupancy):
    grid = SparseGrid(SCENE, (-1.0, 0.0, 0.0))
    grid.rebuild(8, occupancy, lambda rows: torch.zeros(rows, 3))
    return grid


def test_a_linear_field_is_as_rough_as_its_slopes():
    grid = grid_of(OccupancyGrid(SCENE, 8))
    x, y, z = torch.unravel_index(grid.vertices, grid.shape)
    with torch.no_grad():
        grid.table[1:, 0] = 2.0 * x - 3.0 * y + 0.5 * z
        grid.table[1:, 1:] = (x + 2 * y)[:, None].float()
    assert grid.roughness(200, torch.Generator().manual_seed(0)).tolist() == pytest.approx([4 + 9 + 0.25, 5, 5])


def test_what_is_not_stored_makes_nothing_rough():
    occupancy = OccupancyGrid(SCENE, 8)
    occupancy.restrict(torch.arange(512).view(8, 8, 8) == 292)
    grid = grid_of(occupancy)
    assert 1 < len(grid.table) < 9**3
    assert grid.roughness(500, torch.Generator().manual_seed(0))[0] == 0
