"""A scene's bounded space holds what can be seen, and its samples are where they say."""

import pytest
import torch

from nfcore import Scene, Space, UserError
from nfcore.testing.sphere import cameras_around

BOX = ((-1.0, -2.0, -0.5), (3.0, 1.0, 0.5))
KINDS = {
    "box": Scene(near=1, far=9, box=BOX),
    "unbounded": Scene(near=0.5, far=200, box=BOX, unbounded=True),
    "forward-facing": Scene(near=1, far=50, box=((-20, -15, -50), (20, 15, -1)), forward_facing=True),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def scene(kind):
    return KINDS[kind]


@pytest.fixture
def rays(kind, generator):
    """Rays (50, 3) as cameras of such a scene have them."""
    jitter = torch.randn(2, 50, 3, generator=generator)
    if kind == "forward-facing":
        return 0.1 * jitter[0], torch.tensor([0.0, 0.0, -1.0]) + 0.2 * jitter[1]
    origins = torch.tensor([6.0, 0.0, 0.0]) + 0.1 * jitter[0]
    return origins, torch.tensor([1.0, -0.5, 0.0]) + 0.2 * jitter[1] - origins


FRACTIONS = torch.linspace(0, 1, 9)


def test_depths_do_not_decrease_and_stay_finite(scene, rays):
    depths = Space.of(scene).depths(*rays, FRACTIONS)
    assert depths.shape == (50, 9)
    assert torch.isfinite(depths).all()
    assert (depths.diff(dim=-1) >= 0).all()


def test_coordinates_are_those_of_the_warped_points_at_these_depths(scene, rays):
    space, inner = Space.of(scene), FRACTIONS[:-1]
    origins, directions = rays
    depths = space.depths(*rays, inner)
    points = origins[:, None] + depths[..., None] * directions[:, None]
    found = torch.stack(space.coordinates(*rays, inner), -1)
    torch.testing.assert_close(found, space.warp(points), atol=2e-5, rtol=1e-4)


def test_samples_of_rays_through_the_scene_are_in_the_cube(scene, rays):
    coordinates = torch.stack(Space.of(scene).coordinates(*rays, FRACTIONS), -1)
    entered = (coordinates[:, 4].abs() <= 1 + 1e-5).all(-1)
    assert entered.float().mean() > 0.5
    assert coordinates[entered][:, :, 2].abs().max() <= 1 + 1e-4


def test_unwarping_takes_warped_points_back(scene, generator):
    lower, upper = torch.tensor(scene.box)
    points = lower + (upper - lower) * torch.rand(100, 3, generator=generator)
    if scene.unbounded:
        points = torch.cat([points, 7 * points])
    space = Space.of(scene)
    torch.testing.assert_close(space.unwarp(space.warp(points)), points, atol=1e-4, rtol=1e-3)


def test_rays_of_a_grid_have_the_same_samples_as_single_rays(scene):
    space = Space.of(scene)
    rays = cameras_around(2, 3, 4).rays()
    grid = [part.permute(0, 3, 1, 2) for part in (rays.origins, rays.directions)]
    single = space.coordinates(rays.origins.reshape(-1, 3), rays.directions.reshape(-1, 3), FRACTIONS)
    for found, right in zip(space.coordinates(*grid, FRACTIONS.reshape(1, -1, 1, 1), dim=1), single, strict=True):
        torch.testing.assert_close(found.permute(0, 2, 3, 1).reshape(-1, 9), right)


def test_the_corners_of_a_box_become_the_corners_of_the_cube():
    corners = torch.tensor(BOX)
    torch.testing.assert_close(Space.of(KINDS["box"]).warp(corners), torch.tensor([[-1.0] * 3, [1.0] * 3]))


def test_an_unbounded_scenes_box_fills_the_inner_half_and_the_rest_a_shell():
    # MERF, equation 8: |x| <= 1 stays, beyond it |x| becomes 2 - 1/|x|; the cube has half that size.
    space = Space.of(KINDS["unbounded"])
    points = torch.tensor([[3.0, -0.5, 0.0], [5.0, -0.5, 0.0], [1.0 + 2 * 1e6, -0.5, 0.0]])
    torch.testing.assert_close(space.warp(points)[:, 0], torch.tensor([0.5, 0.75, 1.0]))


def test_an_unbounded_scenes_samples_run_from_near_to_far(generator):
    scene = KINDS["unbounded"]
    rays = torch.tensor([[-4.0, 0.0, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    depths = Space.of(scene).depths(*rays, FRACTIONS)[0]
    torch.testing.assert_close(depths[[0, -1]], torch.tensor([scene.near, scene.far]))
    inside = depths[depths <= 7]  # the ray leaves the box at x = 3
    torch.testing.assert_close(inside.diff(), inside.diff()[:1].expand(len(inside) - 1))


def test_ndc_samples_are_even_from_the_near_plane_to_infinity():
    # NeRF, appendix C: z' = 1 + 2 n / z.
    scene = KINDS["forward-facing"]
    rays = torch.zeros(1, 3), torch.tensor([[0.0, 0.0, -1.0]])
    space = Space.of(scene)
    depths = space.depths(*rays, torch.tensor([0.0, 0.5, 0.75]))
    torch.testing.assert_close(depths, torch.tensor([[1.0, 2.0, 4.0]]))
    torch.testing.assert_close(space.coordinates(*rays, FRACTIONS)[2][0], 2 * FRACTIONS - 1)


def test_a_forward_facing_scene_is_not_unbounded_too():
    with pytest.raises(UserError, match="unbounded"):
        Scene(near=1, far=2, box=BOX, forward_facing=True, unbounded=True)
