from __future__ import annotations

import itertools

import pytest
import torch

from nfcore import Rays, UserError
from nfcore_scenes import still_life
from nfcore_scenes.procedural import Procedural

BALL, BALL_RADIUS = torch.tensor([-0.38, 0.36, 0.05]), 0.5


def make(image_size: int | None = 24, **options: object) -> Procedural:
    small = {"train_views": 5, "val_views": 2, "test_views": 3}
    return Procedural(Procedural.Options(**(small | options)), image_size)


@pytest.fixture(scope="module")
def scene():
    return make()


def down(x: float, y: float, speed: float = 1.0) -> Rays:
    return Rays(torch.tensor([[x, y, 3.0]]), torch.tensor([[0.0, 0.0, -speed]]))


# -- views -----------------------------------------------------------------------------------------------


def test_each_split_has_as_many_views_as_asked_for(scene):
    assert [len(scene.views(split)) for split in ("train", "val", "test")] == [5, 2, 3]
    views = scene.views("train")
    assert views.images.shape == (5, 24, 24, 3)
    assert views.alpha.shape == (5, 24, 24)
    assert views.images.dtype == views.alpha.dtype == torch.float32
    assert views.images.min() >= 0 and views.images.max() <= 1


def test_val_may_be_empty():
    views = make(val_views=0).views("val")
    assert len(views) == 0
    assert views.images.shape == (0, 24, 24, 3)


def test_without_a_size_images_are_100_pixels_wide():
    cameras = make(None).sample_cameras(1, torch.Generator())
    assert (cameras.height, cameras.width) == (100, 100)


def test_a_size_below_one_pixel_is_refused():
    with pytest.raises(UserError, match="image_size 0"):
        make(0)


def test_too_few_views_are_refused():
    with pytest.raises(UserError, match="train_views"):
        make(train_views=1)


def test_two_sources_give_the_same_images(scene):
    other = make()
    assert torch.equal(scene.views("test").images, other.views("test").images)
    assert torch.equal(scene.views("test").cameras.poses, other.views("test").cameras.poses)


def test_rendering_leaves_torchs_number_of_threads_as_it_was_even_when_it_fails(scene):
    torch.set_num_threads(2)
    try:
        scene.render(down(0, 0))
        assert torch.get_num_threads() == 2
        with pytest.raises(RuntimeError):
            scene.render(Rays(torch.zeros(3, 3), torch.zeros(2, 3)))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_no_two_views_look_from_the_same_place():
    source = make(train_views=60, val_views=8, test_views=20)
    eyes = torch.cat([source._cameras_of(split).poses[:, :, 3] for split in ("train", "val", "test")])
    apart = torch.cdist(eyes, eyes) + 10 * torch.eye(len(eyes))
    assert apart.min() > 0.05


def test_cameras_look_at_the_things_from_above(scene):
    poses = scene.views("train").cameras.poses
    assert (poses[:, 2, 3] > 0).all()
    assert (poses[:, 2, 2] > 0).all()


def test_the_background_shows_where_nothing_is():
    views = make(background=(0.2, 0.4, 0.6)).views("test")
    corner = views.images[:, 0, 0]
    assert torch.allclose(corner, torch.tensor([0.2, 0.4, 0.6]).expand(3, 3))
    assert (views.alpha[:, 0, 0] == 0).all()


def test_silhouettes_are_antialiased():
    alpha = make(64, test_views=2).views("test").alpha
    assert 0.01 < ((alpha > 0) & (alpha < 1)).float().mean() < 0.1


def test_things_have_no_holes_where_rays_graze_them():
    covered = make(200, test_views=2).views("test").alpha[:, None]
    background = (covered == 0).float()
    far_from_background = torch.nn.functional.max_pool2d(background, 7, 1, 3) == 0
    assert far_from_background.float().mean() > 0.2
    assert (covered[far_from_background] == 1).all()


def test_sampled_cameras_come_from_the_generator_alone(scene):
    first, second = (scene.sample_cameras(6, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first.poses, second.poses)
    assert torch.equal(first.intrinsics[0], scene.views("train").cameras.intrinsics[0])
    assert (first.poses[:, 2, 3] > 0).all()


# -- geometry --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "height"),
    [
        (-0.38, 0.36, 0.55),  # the beach ball's top: centre 0.05 + radius 0.5
        (0.66, 0.2, 0.11),  # the die's upper face: ground -0.45 + side 0.56
        (0.12 + 0.33, -0.5, -0.12),  # the doughnut's crest: ground + twice the tube's 0.165
        (0.12, -0.5, -0.45),  # through the doughnut's hole to the log
    ],
)
def test_depth_is_that_of_the_solid_below(scene, x, y, height):
    seen = scene.render(down(x, y))
    assert seen.opacity.item() == 1
    assert seen.depth.item() == pytest.approx(3 - height, abs=2e-4)


def test_depth_counts_in_lengths_of_the_rays_direction(scene):
    assert scene.render(down(-0.38, 0.36, speed=2)).depth.item() == pytest.approx(2.45 / 2, abs=2e-4)


def test_rays_at_the_ball_meet_the_analytic_sphere(scene):
    generator = torch.Generator().manual_seed(0)
    eyes = torch.tensor([-2.0, 3.0, 2.0]) + 0.2 * torch.randn(500, 3, generator=generator)
    aims = BALL + torch.tensor([-0.1, 0.2, 0.1]) + 0.1 * torch.randn(500, 3, generator=generator)
    directions = aims - eyes
    offset, a = eyes - BALL, directions.square().sum(1)
    b, c = (offset * directions).sum(1), offset.square().sum(1) - BALL_RADIUS**2
    expected = (-b - (b * b - a * c).sqrt()) / a
    seen = scene.render(Rays(eyes, directions))
    assert expected.isfinite().all()
    assert torch.allclose(seen.depth, expected, atol=2e-4)


def test_a_ray_that_misses_is_background_without_depth(scene):
    seen = scene.render(Rays(torch.tensor([[0.0, 0.0, 3.0]]), torch.tensor([[0.0, 0.0, 1.0]])))
    assert (seen.opacity.item(), seen.depth.item()) == (0, 0)
    assert seen.rgb.tolist() == [[1, 1, 1]]


def test_no_rays_give_an_empty_rendering(scene):
    seen = scene.render(Rays(torch.empty(0, 3), torch.empty(0, 3)))
    assert (seen.rgb.shape, seen.opacity.shape, seen.depth.shape) == ((0, 3), (0,), (0,))


def test_all_things_lie_inside_the_scenes_box(scene):
    low, high = torch.tensor(scene.scene.box)
    assert low.min() >= -1.25 and high.max() <= 1.25
    points = torch.rand(40_000, 3, generator=torch.Generator().manual_seed(0)) * 4 - 2
    outside = ((points < low) | (points > high)).any(1)
    assert (still_life.distance(points[outside].T) > 0).all()


def test_every_depth_lies_between_near_and_far(scene):
    cameras = scene.sample_cameras(20, torch.Generator().manual_seed(1))
    seen = scene.render(cameras.rays().flat())
    depth = seen.depth[seen.opacity > 0]
    assert scene.scene.near < depth.min() and depth.max() < scene.scene.far


def test_the_distance_field_never_grows_faster_than_the_way():
    generator = torch.Generator().manual_seed(0)
    a = torch.rand(3, 5000, generator=generator) * 3 - 1.5
    b = a + 0.2 * torch.randn(3, 5000, generator=generator)
    grown = (still_life.distance(a) - still_life.distance(b)).abs()
    assert (grown <= (a - b).norm(dim=0) + 1e-5).all()


def test_things_touch_the_log_but_not_each_other():
    points = torch.rand(3, 60_000, generator=torch.Generator().manual_seed(0)) * 2.4 - 1.2
    distances = [solid.distance(solid.local(points)) for solid in still_life.SOLIDS[1:]]
    for one, other in itertools.combinations(distances, 2):
        assert not ((one < 0) & (other < 0)).any()


# -- looks -----------------------------------------------------------------------------------------------


def test_a_highlight_moves_with_the_eye(scene):
    spot = BALL + BALL_RADIUS * torch.nn.functional.normalize(torch.tensor([-0.4, 0.0, 0.9]), dim=0)
    eyes = spot + torch.tensor([[0.0, 0.3, 2.0], [-1.6, 0.2, 1.6], [0.5, 2.0, 1.0]])
    seen = scene.render(Rays(eyes, spot - eyes))
    assert torch.allclose(seen.depth, torch.ones(3), atol=1e-3)
    assert (seen.rgb.amax(0) - seen.rgb.amin(0)).max() > 0.05


def test_textures_have_large_and_fine_detail():
    image = make(128, test_views=1).views("test").images[0].permute(2, 0, 1)[None]
    fine = image - torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(image, 2), scale_factor=2)
    coarse = torch.nn.functional.avg_pool2d(image, 16)
    assert fine.std() > 0.01
    assert coarse.std() > 0.05
