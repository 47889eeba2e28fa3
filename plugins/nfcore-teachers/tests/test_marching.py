import pytest
import torch

from nfcore import Rays, Scene
from nfcore.geometry import Domain
from nfcore_teachers.marching import Marcher
from nfcore_teachers.occupancy import OccupancyGrid

SCENE = Scene(near=0.5, far=20.0, box=((-1.0, -2.0, -1.0), (1.0, 2.0, 1.5)))


def some_rays(n=60):
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(n, 3, generator=generator)
    directions = directions / directions.norm(dim=1, keepdim=True)
    targets = torch.rand(n, 3, generator=generator) * 2 - 1
    return targets - 5 * directions, directions


def paths(origins, directions, near=0.5, far=20.0):
    return Domain.of(SCENE.model_copy(update={"near": near, "far": far})).paths(Rays(origins, directions))


def sparse_grid_of_cells(share=0.05):
    grid = OccupancyGrid(SCENE, 16)
    grid.restrict(torch.rand(grid.shape, generator=torch.Generator().manual_seed(1)) < share)
    return grid


def occupied_at(grid, points):
    cells = ((points - grid.low) / grid.cell).floor().long()
    inside = ((cells >= 0) & (cells < torch.tensor(grid.shape))).all(-1)
    cells = cells.clamp(min=0).minimum(torch.tensor(grid.shape) - 1)
    return inside & grid.occupied[cells.unbind(-1)]


@pytest.mark.parametrize("jitter", [None, 0.0, 0.9])
def test_samples_are_all_steps_in_occupied_cells_and_no_others(jitter):
    grid, step = sparse_grid_of_cells(), 0.05
    origins, directions = some_rays()
    n = len(origins)
    offsets = None if jitter is None else torch.full((n,), jitter)
    marcher = Marcher(grid, step)
    samples = marcher.march(paths(origins, directions), offsets)

    low, high = grid.bounds()
    ends = torch.stack([(corner - origins) / directions for corner in (low, high)])
    enter, leave = ends.amin(0).amax(1), ends.amax(0).amin(1)
    for ray in range(n):
        steps = enter[ray] + (torch.arange(400) + (0.5 if jitter is None else jitter)) * step
        steps = steps[steps < leave[ray]]
        expected = steps[occupied_at(grid, origins[ray] + steps[:, None] * directions[ray])]
        found = samples.distance[samples.ray == ray]
        # A step on a cell's very face may fall to either side.
        assert abs(len(found) - len(expected)) <= 1, ray
        assert len(found) == samples.counts[ray]
        if len(found) == len(expected):
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert samples.counts.sum() == len(samples.ray) > 100


def test_samples_lie_between_near_and_far():
    grid = OccupancyGrid(SCENE, 8)
    origins, directions = torch.tensor([[0.0, -5.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]])
    samples = Marcher(grid, 0.01).march(paths(origins, directions, near=4.0, far=5.5))
    assert samples.distance.min() == pytest.approx(4.005)
    assert samples.distance.max() == pytest.approx(5.495, abs=1e-3)


def test_a_ray_that_misses_has_no_samples():
    origins = torch.tensor([[0.0, -5.0, 9.0], [0.0, -5.0, 0.0]])
    directions = torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
    samples = Marcher(OccupancyGrid(SCENE, 8), 0.05).march(paths(origins, directions))
    assert samples.counts.tolist() == [0, 0]


def test_nothing_is_sampled_where_nothing_is_occupied():
    grid = sparse_grid_of_cells(share=0.0)
    origins, directions = some_rays()
    samples = Marcher(grid, 0.05).march(paths(origins, directions))
    assert len(samples.ray) == 0
