import pytest
import torch

from nfcore import Rays, Scene
from nfcore.geometry import Domain

BOX = ((-1.0, -1.5, -1.0), (1.0, 1.5, 2.0))
SCENES = {
    "box": Scene(near=0.5, far=9.0, box=BOX),
    "forward-facing": Scene(near=1.2, far=80.0, box=((-9, -6, -20), (9, 6, -1.2)), forward_facing=True),
    "unbounded": Scene(near=0.1, far=50.0, box=BOX, unbounded=True),
}
KINDS = pytest.mark.parametrize("kind", SCENES)


def some_rays(kind, n=40):
    generator = torch.Generator().manual_seed(0)
    origins = torch.rand(n, 3, generator=generator) * 2 - 1
    directions = torch.randn(n, 3, generator=generator) * 2
    if kind == "forward-facing":
        origins, directions = origins * 0.3, torch.cat([directions[:, :2] * 0.3, -torch.ones(n, 1)], 1)
    return Rays(origins, directions)


def placed(paths, share):
    """Distances (n, 1) at a share of the paths, and the points there."""
    distance = (paths.near + share * (paths.far - paths.near))[:, None]
    return distance, torch.cat(list(paths.along(distance)), 1)


@KINDS
def test_the_depth_along_a_path_is_that_of_the_point_there(kind):
    domain, rays = Domain.of(SCENES[kind]), some_rays(kind)
    paths, every = domain.paths(rays), torch.arange(40)
    for share in (0.02, 0.3, 0.7, 0.95):
        distance, points = placed(paths, share)
        world = rays.origins + paths.depth(distance, every) * rays.directions
        torch.testing.assert_close(domain.warp(world), points, atol=1e-4, rtol=1e-4)


@KINDS
def test_paths_run_from_near_to_far(kind):
    scene, rays = SCENES[kind], some_rays(kind)
    paths, every = Domain.of(scene).paths(rays), torch.arange(40)
    if kind == "forward-facing":
        (_, begin), (_, end) = placed(paths, 0.0), placed(paths, 1.0)
        torch.testing.assert_close(begin[:, 2], -torch.ones(40))
        torch.testing.assert_close(end[:, 2], torch.ones(40))
    else:
        torch.testing.assert_close(
            paths.depth(paths.near, every), torch.full((40,), scene.near), atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(
            paths.depth(paths.far, every), torch.full((40,), scene.far), atol=1e-2, rtol=1e-3
        )


@KINDS
def test_a_density_absorbs_what_it_absorbs_in_the_world(kind):
    """A short step by the path's measure and by the world's: density per scene unit times length."""
    domain, rays = Domain.of(SCENES[kind]), some_rays(kind)
    rays = Rays(rays.origins.double(), rays.directions.double())
    paths, every = domain.paths(rays), torch.arange(40)
    for share in (0.05, 0.4, 0.8):
        distance, _ = placed(paths, share)
        step = 1e-4 * (paths.far - paths.near)[:, None]
        stretch = paths.stretch(distance, every)
        ours = step if stretch is None else step * stretch
        first, last = (paths.depth(distance + side * step / 2, every) for side in (-1, 1))
        middle = rays.origins + (first + last) / 2 * rays.directions
        length = (last - first)[:, 0] * rays.directions.norm(dim=1)
        torch.testing.assert_close(ours[:, 0], length * domain.per_scene_unit(middle), rtol=2e-3, atol=0)


def test_steps_are_seldom_longer_than_those_of_the_box():
    """A path's distance all but bounds how far points move in the contracted world: no voxel is jumped over."""
    paths = Domain.of(SCENES["unbounded"]).paths(some_rays("unbounded", 200))
    shares = torch.linspace(0, 1, 2000)
    distance = paths.near[:, None] + shares * (paths.far - paths.near)[:, None]
    points = torch.stack(list(paths.along(distance)), 2)
    moved = points.diff(dim=1).norm(dim=2) / distance.diff(dim=1)
    assert (moved > 1.6).float().mean() < 0.02
    assert moved.max() < 3


def test_the_contracted_world_is_told_by_hand():
    """A box of half sizes 1 around the origin: (4, 2, 0) has the largest coordinate 4, and 2 - 1/4 = 1.75."""
    domain = Domain.of(Scene(near=0.1, far=50, box=((-1, -1, -1), (1, 1, 1)), unbounded=True))
    points = torch.tensor([[0.5, -0.25, 0.0], [4.0, 2.0, 0.0]])
    expected = torch.tensor([[0.25, -0.125, 0.0], [0.875, 0.4375, 0.0]])
    torch.testing.assert_close(domain.warp(points), expected)
    assert domain.per_scene_unit(points).tolist() == pytest.approx([0.5, 0.5 / 16])
    assert domain.holds(domain.warp(points)).all()
