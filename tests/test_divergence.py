"""A training that goes wrong in numbers ends with what to change, and never reaches a checkpoint."""

from __future__ import annotations

import pytest
import tiny
import torch
from test_training import SOURCE, Recorder

from nfcore import NfcoreError
from nfcore.config.schema import TrainingConfig
from nfcore.training.loop import train
from nfcore.views.training_views import TrainingViews


def photos() -> TrainingViews:
    return TrainingViews.of_photos(SOURCE.views("train"))


def test_a_student_that_collapses_stops_with_what_to_try():
    student = tiny.student(width=16)
    recorder = Recorder()
    train(student, photos(), tiny.SQUARE, TrainingConfig(steps=300, batch=4, learning_rate=2e-2), 0, recorder)
    assert recorder.psnr[300] > 20

    class Saturating(Recorder):
        def step(self, step, **scalars):
            super().step(step, **scalars)
            if step == 100:
                with torch.no_grad():
                    student.upsampler.conv.bias.fill_(50.0)  # white everywhere, and no gradient that leads back

    with pytest.raises(NfcoreError, match=r"collapsed: .* after .* dB.*lower learning_rate"):
        train(student, photos(), tiny.SQUARE, TrainingConfig(steps=400, batch=4), 0, Saturating())


def test_weights_that_are_not_finite_never_reach_a_checkpoint(tmp_path):
    class Poisoned(Recorder):
        def checkpoint(self, step, state):
            with torch.no_grad():
                student.backbone.layers[0].weight[0] = float("inf")
            super().checkpoint(step, state)

    student = tiny.student()
    with pytest.raises(NfcoreError, match=r"weights.*step 1"):
        train(student, photos(), tiny.SQUARE, TrainingConfig(steps=5, batch=2), 0, Poisoned(tmp_path / "state", 1))
    assert not (tmp_path / "state").exists()
