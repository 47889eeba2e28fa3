"""Photos whose exposure and white balance differ: the scene is learned from colours at their mean exposure."""

import dataclasses

import pytest
import torch
from unboxed_scenes import Room

import nfcore
from nfcore import Budget, Reporter
from nfcore_teachers.exposures import LOOKS, YOUNG, Exposures
from nfcore_teachers.hash_grid import HashGrid
from nfcore_teachers.nerf import Nerf
from nfcore_teachers.pixels import PixelBatches
from nfcore_teachers.voxels import Voxels

ROOM = Room()
#: Gains between 0.6 and 1, so that no photo is clipped.
GAINS = 0.6 + 0.4 * torch.rand(30, 3, generator=torch.Generator().manual_seed(1))


class Known:
    """Shows the room as it is, with some error, as a field does that is almost fitted."""

    def __init__(self, error):
        self.error = error

    def render(self, rays):
        noise = torch.randn(len(rays), 3, generator=torch.Generator().manual_seed(0))
        rgb = (ROOM.colours(rays) + self.error * noise).clamp(0, 1)
        return nfcore.Rendering(rgb, torch.ones(len(rays)), torch.ones(len(rays)))


class Grey:
    """Shows the same grey everywhere, as a field does that is not fitted."""

    def render(self, rays):
        n = len(rays)
        return nfcore.Rendering(torch.full((n, 3), 0.5), torch.ones(n), torch.ones(n))


def exposed(gains):
    views = ROOM.views("train")
    return dataclasses.replace(views, images=views.images * gains[:, None, None])


def colours_without(exposures, views):
    batches = PixelBatches(views, None, torch.Generator().manual_seed(0))
    return exposures.removed(batches.draw(4000)).colours, batches


def estimated(views, teacher, wanted=None):
    exposures = Exposures(views, (1.0, 1.0, 1.0), wanted)
    for _ in range(LOOKS):
        exposures.estimate(teacher)
    return exposures


def test_colours_are_those_at_the_mean_exposure():
    found, _ = colours_without(estimated(exposed(GAINS), Known(0.05)), exposed(GAINS))
    mean = GAINS.log().mean(0).exp()
    expected, _ = colours_without(Exposures(ROOM.views("train"), (1.0, 1.0, 1.0), False), ROOM.views("train"))
    before, _ = colours_without(Exposures(exposed(GAINS), (1.0, 1.0, 1.0), False), exposed(GAINS))
    error = (found - mean * expected).square().mean()
    assert error < (before - mean * expected).square().mean() / 20


@pytest.mark.parametrize("teacher", [Known(0.05), Known(0.15), Grey()])
def test_photos_of_one_exposure_stay_as_they_are(teacher):
    exposures = estimated(ROOM.views("train"), teacher)
    found, _ = colours_without(exposures, ROOM.views("train"))
    expected, _ = colours_without(Exposures(ROOM.views("train"), (1.0, 1.0, 1.0), False), ROOM.views("train"))
    assert torch.equal(found, expected)
    assert not exposures.due(0.99, YOUNG)


@pytest.mark.parametrize(("wanted", "early"), [(None, False), (True, True), (False, False)])
def test_whether_exposures_differ_is_not_asked_of_a_young_field(wanted, early):
    exposures = Exposures(ROOM.views("train"), (1.0, 1.0, 1.0), wanted)
    assert exposures.due(0.5, YOUNG - 1) == early
    assert exposures.due(0.5, YOUNG) == (wanted is not False)


def test_a_background_that_photos_are_composited_on_has_no_exposure():
    views, background = ROOM.views("train"), torch.tensor([1.0, 0.5, 0.0])
    alpha = torch.zeros(views.images.shape[:3])
    alpha[:, :8] = 1
    images = alpha[..., None] * views.images * GAINS[:, None, None] + (1 - alpha[..., None]) * background
    views = dataclasses.replace(views, images=images, alpha=alpha)
    exposures = Exposures(views, tuple(background.tolist()), True)
    exposures.estimate(Known(0.05))
    pixels = PixelBatches(views, None, torch.Generator().manual_seed(0)).draw(4000)
    found = exposures.removed(pixels).colours
    assert torch.equal(found[pixels.alpha == 0], pixels.colours[pixels.alpha == 0])
    assert not torch.equal(found[pixels.alpha == 1], pixels.colours[pixels.alpha == 1])


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (Voxels, {"resolution": 12, "samples_per_step": 2000}),
        (HashGrid, {"levels": 2, "log2_table": 8, "samples_per_step": 2000}),
        (Nerf, {"width": 16, "depth": 2, "coarse": 8, "fine": 8, "rays_per_step": 64}),
    ],
)
def test_all_teachers_that_fit_rays_estimate_exposures(cls, options, monkeypatch):
    estimated_from = []
    monkeypatch.setattr(Exposures, "estimate", lambda exposures, teacher: estimated_from.append(teacher))
    monkeypatch.setattr(Exposures, "due", lambda exposures, progress, steps: not estimated_from)
    teacher = cls(cls.Options(**options), ROOM.scene)
    teacher.fit(ROOM, Budget(steps=2), Reporter())
    assert estimated_from == [teacher]
