"""What a mask ignores is neither trained on nor scored; photos keep their masks and metadata wherever they go."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny
import torch

from nfcore import Reporter, UserError, ViewMetadata, Views
from nfcore.config.schema import FinetuneConfig
from nfcore.evaluation.error_maps import error_map
from nfcore.evaluation.metrics import psnr, ssim, ssim_mobiler2l
from nfcore.pipeline.evaluate import evaluate
from nfcore.shrinking.quality import photo_reference, squared_errors
from nfcore.training.loop import train
from nfcore.views.crops import CropRule, sample_crops
from nfcore.views.training_views import TrainingViews

PLAIN = tiny.Ring(tiny.Ring.Options()).views("train")


def painted(views: Views, colour: float = 0.0) -> Views:
    """The same photos with a square painted over, which their masks ignore."""
    masks, images = torch.zeros(len(views), 16, 16, dtype=torch.bool), views.images.clone()
    masks[:, 2:9, 3:10] = True
    images[masks] = colour
    return replace(views, images=images, masks=masks)


def test_a_painted_square_that_is_ignored_changes_no_score():
    teacher = tiny.fitted_model()
    black, white = (evaluate(teacher, painted(PLAIN, colour)).scores for colour in (0.0, 1.0))
    assert black == white
    assert min(black["psnr"]) > 60 and min(black["ssim"]) > 0.999


def test_photos_keep_their_masks_when_the_teachers_geometry_is_added():
    photos = TrainingViews.of_photos(painted(PLAIN))
    assert torch.equal(photos.with_geometry(tiny.fitted_model().teacher).masks, photos.masks)


def test_the_errors_that_shrinking_expects_are_those_of_the_other_pixels_alone():
    model = tiny.fitted_model()
    black, white = (squared_errors(photo_reference(model, painted(PLAIN, c), 2)) for c in (0.0, 1.0))
    assert torch.equal(black, white)


def test_scores_are_those_of_the_other_pixels_alone():
    generator = torch.Generator().manual_seed(0)
    image, truth = torch.rand(2, 2, 3, 24, 24, generator=generator)
    ignored = torch.zeros(2, 24, 24, dtype=torch.bool)
    ignored[:, :12] = True
    torch.testing.assert_close(psnr(image, truth, ignored), psnr(image[:, :, 12:], truth[:, :, 12:]))
    for metric in (psnr, ssim, ssim_mobiler2l):
        everything = metric(image, truth, torch.zeros_like(ignored))
        torch.testing.assert_close(everything, metric(image, truth))
        other = torch.where(ignored[:, None], 1 - image, image)
        assert torch.equal(metric(other, truth, ignored), metric(image, truth, ignored))
    first, second = image[0].permute(1, 2, 0), truth[0].permute(1, 2, 0)
    shown = error_map(first, second, ignored[:1])
    assert (shown[:12] == shown[0, 0]).all() and (shown[12:] == error_map(first, second)[12:]).all()


def test_a_student_learns_the_same_whatever_is_painted_over_what_is_ignored():
    students = []
    for colour in (0.0, 1.0):
        student = tiny.student()
        photos = TrainingViews.of_photos(painted(PLAIN, colour))
        train(student, photos, tiny.SQUARE, FinetuneConfig(steps=10, batch=2, crop=2), 0, Reporter())
        students.append(student)
    assert all(torch.equal(a, b) for a, b in zip(*(s.parameters() for s in students), strict=True))
    assert any(
        not torch.equal(a, b) for a, b in zip(students[0].parameters(), tiny.student().parameters(), strict=True)
    )


def test_a_crop_has_no_colour_where_a_pixel_is_ignored(generator):
    crops = sample_crops(TrainingViews.of_photos(painted(PLAIN)), 20, CropRule(20, None, 4), generator)
    ignored = painted(PLAIN).masks[crops.view]
    assert torch.equal(crops.images.isnan(), ignored[:, None].expand(-1, 3, -1, -1))


def test_chosen_and_moved_photos_keep_masks_and_metadata():
    metadata = tuple(ViewMetadata(exposure=float(i), time=i / 2) for i in range(len(PLAIN)))
    views = replace(painted(PLAIN), metadata=metadata)
    chosen = views.chosen([3, 1]).to("cpu")
    assert chosen.metadata == (metadata[3], metadata[1])
    assert torch.equal(chosen.masks, views.masks[[3, 1]])
    assert chosen.ignored(0).shape == (1, 16, 16) and PLAIN.ignored(0) is None
    assert PLAIN.metadata == (ViewMetadata(),) * len(PLAIN)
    assert repr(chosen) == "Views(2 of 16x16, with alpha and masks)"


def test_an_ignored_pixel_belongs_to_every_silhouette():
    views = replace(painted(PLAIN), alpha=torch.zeros(len(PLAIN), 16, 16))
    assert torch.equal(torch.stack(list(views.silhouettes)), views.masks.float())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"masks": torch.zeros(8, 16, 16)}, "torch.float32"),
        ({"masks": torch.zeros(8, 15, 16, dtype=torch.bool)}, r"\(8, 15, 16\)"),
        ({"masks": torch.ones(8, 16, 16, dtype=torch.bool)}, "photo 'train0'"),
        ({"metadata": (ViewMetadata(),)}, "not for 1"),
    ],
)
def test_masks_and_metadata_that_are_not_of_the_photos_are_refused(wrong, named):
    with pytest.raises(UserError, match=named):
        replace(PLAIN, **wrong)


def test_a_perfect_picture_of_what_counts_has_no_error():
    image = torch.rand(1, 3, 12, 12)
    ignored = torch.zeros(1, 12, 12, dtype=torch.bool)
    ignored[:, 0] = True
    assert psnr(torch.where(ignored[:, None], 0, image), image, ignored).item() == 140
