"""A crop's pixels are those that its camera sees, wherever it is drawn."""

from __future__ import annotations

import pytest
import tiny
import torch
from tiny_cameras import assert_each_image_is_what_its_camera_sees

from nfcore import Cameras
from nfcore.views.crops import CropRule, Crops, CropSampler, PhotoMixing, sample_crops
from nfcore.views.teacher_views import render_view
from nfcore.views.training_views import TrainingViews, opaque_window


def test_a_rendered_view_has_the_cameras_size(generator):
    camera = tiny.cameras(tiny.REGION.sample(1, generator), 6, 10)
    seen = render_view(tiny.fitted_teacher(), camera)
    rays = camera.rays()
    torch.testing.assert_close(seen.rgb, tiny.sky(rays.directions)[0])
    assert torch.equal(seen.opacity, tiny.passes_ball(rays)[0])


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


def crops_of(
    views: TrainingViews, count: int, side: int | None, scale: int, shift: bool, generator: torch.Generator
) -> Crops:
    return sample_crops(views, count, CropRule(count, side, scale, shift), generator)


def corners(cameras: Cameras) -> torch.Tensor:
    """The (left, top) corners of crops of the photos, whose principal point is at (12, 12)."""
    return 12 - cameras.intrinsics[:, 2:]


@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("crop", [None, 1, 3, 100])
@pytest.mark.parametrize("scale", [1, 4])
def test_a_crops_pixels_are_those_that_its_camera_sees(photos, generator, crop, scale, shift):
    crops = crops_of(photos, 40, crop, scale, shift, generator)
    cameras, images = crops.cameras, crops.images
    assert images.shape == (40, 3, cameras.height, cameras.width)
    seen = tiny.sky(cameras.rays().directions).permute(0, 3, 1, 2)
    assert (images - seen).abs().max() < 0.51 / 255


@pytest.mark.parametrize(
    ("crop", "shift", "side"),
    [(None, False, 24), (None, True, 20), (3, False, 12), (3, True, 12), (9, False, 24), (9, True, 20)],
)
def test_a_crop_has_its_side_in_rays_or_what_the_view_has(photos, generator, crop, shift, side):
    cameras = crops_of(photos, 2, crop, 4, shift, generator).cameras
    assert (cameras.height, cameras.width) == (side, side)


def test_a_whole_view_has_the_corner_of_the_view(photos, generator):
    cameras = crops_of(photos, 20, None, 4, False, generator).cameras
    assert not corners(cameras).any()


def test_crops_lie_inside_the_view_at_multiples_of_the_scale(photos, generator):
    cameras = crops_of(photos, 300, 2, 4, False, generator).cameras
    assert set(corners(cameras).flatten().tolist()) == {0.0, 4.0, 8.0, 12.0, 16.0}


def test_shifted_crops_lie_at_any_pixel(photos, generator):
    cameras = crops_of(photos, 600, 2, 4, True, generator).cameras
    assert set(corners(cameras).flatten().tolist()) == {float(i) for i in range(17)}


def test_most_crops_overlap_what_is_opaque_and_some_lie_anywhere(generator):
    views = tiny.Ring(tiny.Ring.Options(), 32).views("train")
    alpha = torch.zeros_like(views.alpha)
    alpha[:, 14:18, 14:18] = 1
    photos = TrainingViews.of_photos(type(views)(views.cameras, views.images, alpha, views.names))
    cameras = crops_of(photos, 500, 4, 1, False, generator).cameras
    left, top = (16 - cameras.intrinsics[:, 2:]).unbind(1)
    overlapping = (left > 10) & (left < 18) & (top > 10) & (top < 18)
    # nine in ten are drawn towards the window, half outside of it at most
    assert 0.85 < overlapping.float().mean() < 0.97


def test_the_same_generator_state_gives_the_same_crops(photos):
    first, second = (crops_of(photos, 8, 2, 4, True, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.cameras.intrinsics, second.cameras.intrinsics)


def test_a_crops_window_is_where_it_was_cut_from(photos, generator):
    crops = crops_of(photos, 30, 3, 4, True, generator)
    for image, view, (top, left, bottom, right) in zip(
        crops.images, crops.view.tolist(), crops.windows.tolist(), strict=True
    ):
        assert torch.equal(image, photos.images[view, top:bottom, left:right].permute(2, 0, 1).float() / 255)


# -- photos towards the end --------------------------------------------------------------------------


def test_photos_come_in_their_share_and_only_at_the_end(photos, generator):
    black = TrainingViews(photos.cameras, torch.zeros_like(photos.images), photos.windows)
    sampler = CropSampler(black, CropRule(1000, 1, 4), generator, PhotoMixing(photos, 0.6, 0.75))

    def share(progress: float) -> float:
        batch = sampler.draw(progress)
        cameras, images = batch.cameras, batch.images
        assert images.shape == (1000, 3, 4, 4)
        real = images.sum((1, 2, 3)) > 0  # the sky is nowhere black
        seen = tiny.sky(cameras.rays().directions).permute(0, 3, 1, 2)
        assert (images - seen)[real].abs().max() < 0.51 / 255 if real.any() else True
        return float(real.float().mean())

    assert share(0.74) == 0
    # the standard deviation of the share of 1000 crops is 0.015
    assert share(0.75) == pytest.approx(0.6, abs=0.06)
    assert share(0.99) == pytest.approx(0.6, abs=0.06)


def test_photos_alone_are_possible_and_views_alone_too(photos, generator):
    black = TrainingViews(photos.cameras, torch.zeros_like(photos.images), photos.windows)
    for share, sums in ((1.0, True), (0.0, False)):
        batch = CropSampler(black, CropRule(8, 1, 4), generator, PhotoMixing(photos, share, 0.5)).draw(0.9)
        assert bool(batch.images.sum()) is sums


# -- error-weighted sampling -------------------------------------------------------------------------


def hard_sampler(views: TrainingViews, seed: int = 0) -> CropSampler:
    return CropSampler(views, CropRule(50, 1, 4, hard=1.0), torch.Generator().manual_seed(seed))


def drawn_in_corner(sampler: CropSampler) -> float:
    """The share of crops that lie in the upper left quarter of a view."""
    sampler.draw(0.0)
    return float((sampler.last.windows[:, 2:] <= 12).all(1).float().mean())


def teach_that_the_corner_is_hard(sampler: CropSampler, rounds: int = 60) -> None:
    for _ in range(rounds):
        sampler.draw(0.0)
        sampler.update_errors((sampler.last.windows[:, 2:] <= 12).all(1).float())


def test_hard_crops_are_drawn_where_the_error_is(photos):
    sampler = hard_sampler(photos)
    assert drawn_in_corner(sampler) < 0.5  # a quarter of all places
    teach_that_the_corner_is_hard(sampler)
    assert drawn_in_corner(sampler) > 0.7


def test_what_was_hard_is_forgotten_with_the_view_that_it_was_seen_in(photos):
    sampler = hard_sampler(photos)
    teach_that_the_corner_is_hard(sampler)
    photos.ids = photos.ids + 100
    sampler.draw(0.0)
    assert (sampler.tile_errors.errors < 0).all()


def test_without_any_error_every_place_is_still_drawn(photos):
    sampler = hard_sampler(photos)
    for _ in range(60):
        sampler.draw(0.0)
        sampler.update_errors(torch.zeros(50))
    assert len(set(map(tuple, sampler.last.windows.tolist()))) > 20


def test_the_running_errors_resume_from_their_state(photos):
    first = hard_sampler(photos)
    teach_that_the_corner_is_hard(first, 5)
    second = hard_sampler(photos, 1)
    second.restore(first.state())
    second.generator.set_state(first.generator.get_state())
    for sampler in (first, second):
        teach_that_the_corner_is_hard(sampler, 3)
    assert torch.equal(first.tile_errors.errors, second.tile_errors.errors)
    assert torch.equal(first.last.windows, second.last.windows)
