import pytest
import torch

from nfcore import Scene, UserError
from nfcore_teachers.occupancy import OccupancyGrid, dilated
from nfcore_teachers.silhouettes import silhouette_pixels

SCENE = Scene(near=1.0, far=9.0, box=((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)))


def centres(grid):
    return grid.low + (torch.ones(grid.shape).nonzero() + 0.5) * grid.cell


def test_carving_keeps_the_object_and_cuts_the_rest(sphere):
    views, grid = sphere.views("train"), OccupancyGrid(sphere.scene, 30)
    grid.carve(views.cameras, views.alpha)
    hull = grid.occupied.flatten()
    distance = centres(grid).norm(dim=1)
    assert hull[distance < sphere.radius].all()
    assert not hull[distance > sphere.radius + 0.3].any()


def test_carving_with_nothing_in_common_is_a_mistake(sphere):
    views = sphere.views("train")
    with pytest.raises(UserError, match="silhouettes"):
        OccupancyGrid(sphere.scene, 12).carve(views.cameras, torch.zeros_like(views.alpha))


def test_cells_that_no_photo_sees_are_carved(sphere):
    views, grid = sphere.views("train"), OccupancyGrid(Scene(near=1, far=9, box=((-9, -9, -9), (9, 9, 9))), 20)
    one = views.cameras[0]
    grid.carve(one, torch.ones(1, 24, 24))
    hull = grid.occupied.flatten()
    behind = (centres(grid) - one.poses[0, :, 3]) @ one.poses[0, :, 2] > 0
    assert hull.any()
    assert not hull[behind].any()


def test_pixels_beyond_the_silhouettes_see_no_hull(sphere):
    views, grid = sphere.views("train"), OccupancyGrid(sphere.scene, 30)
    grid.carve(views.cameras, views.alpha)
    pixels = silhouette_pixels(grid, views.cameras, views.alpha, (24, 24))
    others = torch.ones(views.alpha.numel(), dtype=torch.bool)
    others[pixels] = False
    assert 0 < others.sum() < others.numel()
    rays = views.cameras.pixel_rays(others.nonzero()[:, 0])
    t = torch.linspace(2, 6, 200)[:, None, None]
    cells = ((rays.origins + t * rays.directions - grid.low) / grid.cell).floor().long()
    inside = ((cells >= 0) & (cells < 30)).all(-1)
    assert not (inside & grid.occupied[cells.clamp(0, 29).unbind(-1)]).any()


def ball(points):
    return torch.where(points.norm(dim=1) < 0.5, 50.0, 0.0)


def test_an_update_prunes_what_is_empty_and_finds_it_again():
    grid, generator = OccupancyGrid(SCENE, 16), torch.Generator().manual_seed(0)
    grid.update(ball, 0.1, 0.01, 1.0, generator)
    distance = centres(grid).norm(dim=1)
    assert grid.occupied.flatten()[distance < 0.4].all()
    assert not grid.occupied.flatten()[distance > 0.62].any()
    grid.update(lambda points: torch.full((len(points),), 50.0), 0.1, 0.01, 1.0, generator)
    assert grid.occupied.all()


def test_an_update_never_leaves_the_candidates():
    grid, generator = OccupancyGrid(SCENE, 8), torch.Generator().manual_seed(0)
    candidates = torch.rand(grid.shape, generator=generator) < 0.5
    grid.restrict(candidates)
    grid.update(lambda points: torch.full((len(points),), 50.0), 0.1, 0.01, 1.0, generator)
    assert torch.equal(grid.occupied, candidates)


def test_the_bounds_hold_what_is_occupied():
    grid = OccupancyGrid(SCENE, 8)
    cells = torch.zeros(grid.shape, dtype=torch.bool)
    cells[2, 3, 4] = cells[4, 3, 7] = True
    grid.restrict(cells)
    low, high = grid.bounds()
    assert low.tolist() == [-0.5, -0.25, 0.0]
    assert high.tolist() == [0.25, 0.0, 1.0]


def test_dilation_reaches_all_neighbours():
    cells = torch.zeros(7, 7, 7, dtype=torch.bool)
    cells[0, 3, 3] = True
    expected = torch.zeros_like(cells)
    expected[0:3, 1:6, 1:6] = True
    assert torch.equal(dilated(cells, 2), expected)
