"""Pseudo views come when they are due, and a crop's pixels are those that its camera sees."""

from __future__ import annotations

import pytest
import tiny
import torch

from nfcore import Cameras, NfcoreError
from nfcore.pipeline.crops import sample_crops
from nfcore.pipeline.views import PseudoViews, TrainingViews, opaque_window, render_view

VIEW_GIB = 16 * 16 * 3 / 2**30


def pseudo_views(teacher=None, **changes) -> PseudoViews:
    settings = {"count": 10, "first": 3, "per_step": 0.5, "memory": 1.0, "seed": 1} | changes
    return PseudoViews(teacher or tiny.fitted_teacher(), tiny.Ring(tiny.Ring.Options()), **settings)


def assert_each_image_is_what_its_camera_sees(views: TrainingViews) -> None:
    n = len(views)
    seen = tiny.sky(views.cameras.rays().directions[:n])
    assert (views.images[:n].float() / 255 - seen).abs().max() < 0.51 / 255


def test_pseudo_views_appear_on_schedule_and_stop_at_their_number():
    views = pseudo_views()
    counts = {}
    for step in (0, 1, 2, 6, 13, 14, 15, 99):
        views.prepare(step)
        counts[step] = len(views)
    assert counts == {0: 3, 1: 3, 2: 4, 6: 6, 13: 9, 14: 10, 15: 10, 99: 10}
    assert_each_image_is_what_its_camera_sees(views)


def test_no_view_is_rendered_twice(monkeypatch):
    views = pseudo_views()
    calls = []
    monkeypatch.setattr(views, "_render", lambda i, render=views._render: (calls.append(i), render(i))[1])
    for step in range(30):
        views.prepare(step)
    assert calls == list(range(10))


def test_an_interrupted_training_sees_the_views_that_it_would_have_seen():
    through, again = pseudo_views(memory=4.5 * VIEW_GIB), pseudo_views(memory=4.5 * VIEW_GIB)
    for step in range(12):
        through.prepare(step)
    again.prepare(0)
    again.prepare(11)
    assert torch.equal(through.images, again.images)
    assert torch.equal(through.cameras.poses, again.cameras.poses)
    assert torch.equal(through.windows, again.windows)


def test_beyond_the_memory_new_views_replace_the_oldest():
    views = pseudo_views(memory=4.5 * VIEW_GIB)
    views.prepare(0)
    assert len(views) == 3
    views.prepare(4)  # five are due, four fit: the fifth takes the place of the first
    assert len(views) == 4
    assert torch.equal(views.cameras.poses[0], views.path.poses[4])
    assert torch.equal(views.cameras.poses[1:], views.path.poses[1:4])
    assert_each_image_is_what_its_camera_sees(views)
    views.prepare(99)
    assert torch.equal(views.cameras.poses, views.path.poses[[8, 9, 6, 7]])
    assert_each_image_is_what_its_camera_sees(views)


def test_memory_for_less_than_one_view_is_an_error_that_names_the_setting():
    with pytest.raises(NfcoreError, match=r"no pseudo view of 16x16 fits into distill\.view_memory"):
        pseudo_views(memory=0.9 * VIEW_GIB)


def test_a_teacher_that_renders_nan_is_an_error_that_names_the_view():
    with pytest.raises(NfcoreError, match="NaN at pseudo view 0"):
        pseudo_views(tiny.fitted_teacher(gain=float("nan"))).prepare(0)


def test_the_cameras_of_pseudo_views_follow_from_the_seed():
    poses = [pseudo_views(seed=seed).path.poses for seed in (1, 1, 2)]
    assert torch.equal(poses[0], poses[1])
    assert not torch.equal(poses[0], poses[2])


def test_a_rendered_view_has_the_cameras_size(generator):
    camera = tiny.cameras(tiny.REGION.sample(1, generator), 6, 10)
    rgb, opacity = render_view(tiny.fitted_teacher(), camera)
    rays = camera.rays()
    torch.testing.assert_close(rgb, tiny.sky(rays.directions)[0])
    assert torch.equal(opacity, tiny.passes_ball(rays)[0])


# -- windows -----------------------------------------------------------------------------------------


def test_the_opaque_window_is_the_smallest_around_what_is_opaque():
    opacity = torch.zeros(9, 12)
    opacity[2, 7] = opacity[5, 3] = 0.5
    opacity[8, 11] = 0.005  # below the threshold
    assert opaque_window(opacity).tolist() == [2, 3, 6, 8]


def test_the_window_of_an_empty_view_is_the_whole_view():
    assert opaque_window(torch.zeros(9, 12)).tolist() == [0, 0, 9, 12]


def test_photos_without_alpha_are_seen_whole():
    views = tiny.Ring(tiny.Ring.Options()).views("train")
    without = TrainingViews.of_photos(type(views)(views.cameras, views.images, None, views.names))
    assert without.windows.tolist() == [[0, 0, 16, 16]] * 8
    within = TrainingViews.of_photos(views)
    assert within.windows.tolist() == [opaque_window(alpha).tolist() for alpha in views.alpha]
    assert_each_image_is_what_its_camera_sees(within)


# -- crops -------------------------------------------------------------------------------------------


@pytest.fixture
def photos() -> TrainingViews:
    return TrainingViews.of_photos(tiny.Ring(tiny.Ring.Options(), 24).views("train"))


def corners(cameras: Cameras) -> torch.Tensor:
    """The (left, top) corners of crops of the photos, whose principal point is at (12, 12)."""
    return 12 - cameras.intrinsics[:, 2:]


@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("crop", [None, 1, 3, 100])
@pytest.mark.parametrize("scale", [1, 4])
def test_a_crops_pixels_are_those_that_its_camera_sees(photos, generator, crop, scale, shift):
    cameras, images = sample_crops(photos, 40, crop, scale, shift, generator)
    assert images.shape == (40, 3, cameras.height, cameras.width)
    seen = tiny.sky(cameras.rays().directions).permute(0, 3, 1, 2)
    assert (images - seen).abs().max() < 0.51 / 255


@pytest.mark.parametrize(
    ("crop", "shift", "side"),
    [(None, False, 24), (None, True, 20), (3, False, 12), (3, True, 12), (9, False, 24), (9, True, 20)],
)
def test_a_crop_has_its_side_in_rays_or_what_the_view_has(photos, generator, crop, shift, side):
    cameras, _ = sample_crops(photos, 2, crop, 4, shift, generator)
    assert (cameras.height, cameras.width) == (side, side)


def test_a_whole_view_has_the_corner_of_the_view(photos, generator):
    cameras, _ = sample_crops(photos, 20, None, 4, False, generator)
    assert not corners(cameras).any()


def test_crops_lie_inside_the_view_at_multiples_of_the_scale(photos, generator):
    cameras, _ = sample_crops(photos, 300, 2, 4, False, generator)
    assert set(corners(cameras).flatten().tolist()) == {0.0, 4.0, 8.0, 12.0, 16.0}


def test_shifted_crops_lie_at_any_pixel(photos, generator):
    cameras, _ = sample_crops(photos, 600, 2, 4, True, generator)
    assert set(corners(cameras).flatten().tolist()) == {float(i) for i in range(17)}


def test_most_crops_overlap_what_is_opaque_and_some_lie_anywhere(generator):
    views = tiny.Ring(tiny.Ring.Options(), 32).views("train")
    alpha = torch.zeros_like(views.alpha)
    alpha[:, 14:18, 14:18] = 1
    photos = TrainingViews.of_photos(type(views)(views.cameras, views.images, alpha, views.names))
    cameras, _ = sample_crops(photos, 500, 4, 1, False, generator)
    left, top = (16 - cameras.intrinsics[:, 2:]).unbind(1)
    overlapping = (left > 10) & (left < 18) & (top > 10) & (top < 18)
    # nine in ten are drawn towards the window, half outside of it at most
    assert 0.85 < overlapping.float().mean() < 0.97


def test_the_same_generator_state_gives_the_same_crops(photos):
    first, second = (sample_crops(photos, 8, 2, 4, True, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first[1], second[1])
    assert torch.equal(first[0].intrinsics, second[0].intrinsics)


def test_crops_come_only_from_views_that_are_there(generator):
    views = pseudo_views(count=10, first=2)
    views.prepare(0)
    views.images[2:] = 0  # memory that no view was rendered to; the sky is nowhere black
    _, images = sample_crops(views, 100, 1, 4, False, generator)
    assert (images.sum(1) > 0).all()
