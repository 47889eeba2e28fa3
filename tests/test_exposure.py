"""Photos whose exposure differs: students learn that of the teacher, and test views are scored without it."""

from dataclasses import replace

import pytest
import tiny
import torch

from nfcore import Views
from nfcore.evaluation.metrics import psnr, psnr_cc
from nfcore.scene import ColourCorrection, PhotoStack
from nfcore.views.exposure import without_exposure

PLAIN = replace(tiny.Ring(tiny.Ring.Options()).views("train"), alpha=None)
GAINS = torch.linspace(0.5, 1.0, len(PLAIN))[:, None] * torch.tensor([[1.0, 0.9, 0.8]])


def exposed(views: Views) -> Views:
    return replace(views, images=views.images * GAINS[:, None, None])


def test_photos_get_the_exposure_that_the_teacher_shows():
    found = without_exposure(exposed(PLAIN), tiny.fitted_teacher())
    before = (exposed(PLAIN).images - PLAIN.images).square().mean()
    assert (found.images - PLAIN.images).square().mean() < before / 50


def test_photos_that_are_decoded_when_needed_get_it_too():
    bytes_ = (exposed(PLAIN).images * 255).round().to(torch.uint8)
    stack = PhotoStack(lambda index: bytes_[index], (*bytes_.shape[:3], 3))
    found = without_exposure(replace(PLAIN, images=stack), tiny.fitted_teacher())
    assert isinstance(found.images, PhotoStack)
    before = (exposed(PLAIN).images - PLAIN.images).square().mean()
    assert (found.images[:] - PLAIN.images).square().mean() < before / 50


def test_photos_of_one_exposure_stay_as_they_are():
    assert without_exposure(PLAIN, tiny.fitted_teacher()) is PLAIN


def test_colour_corrected_psnr_is_that_without_exposure():
    truth = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    noisy = (truth + 0.02 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    darker = 0.6 * noisy
    assert (psnr(darker, truth) < 20).all()
    torch.testing.assert_close(psnr_cc(darker, truth), psnr(noisy, truth), atol=0.5, rtol=0)


def test_colour_corrected_psnr_never_sees_what_it_scores():
    """Each half is corrected by the other: what differs in one half alone is an error."""
    truth = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    half = truth.clone()
    half[..., :12] *= 0.5
    assert psnr_cc(half, truth) < psnr_cc(0.5 * truth, truth) - 10


def test_colour_corrected_psnr_leaves_ignored_pixels_out():
    truth = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    ignored = torch.zeros(1, 24, 24, dtype=torch.bool)
    ignored[:, :12] = True
    other = torch.where(ignored[:, None], 1 - truth, 0.7 * truth)
    assert torch.equal(psnr_cc(other, truth, ignored), psnr_cc(0.7 * truth, truth, ignored))


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0])
def test_a_corrections_gains_are_relative_to_their_mean(gain):
    correction = ColourCorrection(gain * GAINS, torch.zeros_like(GAINS)).centred()
    torch.testing.assert_close(correction.gains.log().mean(0), torch.zeros(3), atol=1e-5, rtol=0)
