import pytest
import torch

from nfcore import Scene
from nfcore_teachers.occupancy import OccupancyGrid
from nfcore_teachers.sparse_grid import SparseGrid

SCENE = Scene(near=1.0, far=9.0, box=((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)))


def grid_of(occupancy):
    grid = SparseGrid(SCENE, {"density": (-1.0,), "features": (0.0, 0.0)})
    grid.rebuild(8, occupancy, lambda name, rows: torch.zeros(rows, len(grid.tables[name])))
    return grid


def test_a_linear_field_is_as_rough_as_its_slopes():
    grid = grid_of(OccupancyGrid(SCENE, 8))
    x, y, z = torch.unravel_index(grid.vertices, grid.shape)
    with torch.no_grad():
        grid.density[1:, 0] = 2.0 * x - 3.0 * y + 0.5 * z
        grid.features[1:] = (x + 2 * y)[:, None].float()
    density, features = grid.roughness(200, torch.Generator().manual_seed(0))
    assert density.item() == pytest.approx(4 + 9 + 0.25)
    assert features.tolist() == pytest.approx([1 + 4] * 2)


def test_what_is_not_stored_makes_nothing_rough():
    occupancy = OccupancyGrid(SCENE, 8)
    occupancy.restrict(torch.arange(512).view(8, 8, 8) == 292)
    grid = grid_of(occupancy)
    assert 1 < len(grid.density) < 9**3
    density, _ = grid.roughness(500, torch.Generator().manual_seed(0))
    assert density.item() == 0
