"""Scores are those of the images that were rendered."""

from __future__ import annotations

import pytest
import tiny

from nfcore import Reporter
from nfcore.evaluation.metrics import psnr, ssim
from nfcore.pipeline import evaluate


class Steps(Reporter):
    def __init__(self) -> None:
        self.steps: list[int] = []

    def start(self, total, unit="step"):
        self.total, self.unit = total, unit

    def step(self, step, **scalars):
        self.steps.append(step)


def test_a_students_scores_are_those_of_its_images_view_by_view():
    views = tiny.Ring(tiny.Ring.Options(test=3)).views("test")
    student = tiny.student()
    steps = Steps()
    quality = evaluate(student, views, steps)
    images, truth = student.render(views.cameras), views.images.permute(0, 3, 1, 2)
    assert quality.psnr == pytest.approx(psnr(images, truth).tolist(), rel=1e-5)
    assert quality.ssim == pytest.approx(ssim(images, truth).tolist(), rel=1e-4)
    assert quality.names == ("test0", "test1", "test2")
    assert quality.mean == {"psnr": sum(quality.psnr) / 3, "ssim": sum(quality.ssim) / 3}
    assert (steps.total, steps.unit, steps.steps) == (3, "view", [1, 2, 3])


def test_a_teacher_that_knows_the_scene_scores_high_and_a_darker_one_as_low_as_it_is():
    views = tiny.Ring(tiny.Ring.Options()).views("test")
    perfect, dark = (evaluate(tiny.fitted_model(gain=gain), views) for gain in (1.0, 0.5))
    assert min(perfect.psnr) > 60
    # half as bright: the error is half the image
    half = (views.images / 2).square().mean((1, 2, 3))
    assert dark.psnr == pytest.approx((-10 * half.log10()).tolist(), rel=1e-4)
