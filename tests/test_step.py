"""One training step: what it reports, the arithmetic, batch norm, and where it computes."""

from __future__ import annotations

import pytest
import tiny
import torch
from test_training import Recorder, photos
from torch import nn

import nfcore
from nfcore import UserError
from nfcore.config.schema import TrainingConfig
from nfcore.runtime.devices import choose_device, device_of
from nfcore.training.batch_norm import enough_views
from nfcore.training.loop import train
from nfcore.training.precision import network_dtype

CPU = torch.device("cpu")


# -- reports and precision ---------------------------------------------------------------------------


class Twice(tiny.Square):
    """The same minimum at twice the cost."""

    def forward(self, image, target, opacity=None, depth=None):
        return 2 * super().forward(image, target)


def test_the_reported_psnr_is_that_of_squared_errors_whatever_the_loss():
    def first_psnr(loss: nfcore.Loss) -> float:
        recorder = Recorder()
        train(tiny.student(), photos(), loss, TrainingConfig(steps=1, batch=4), 0, recorder)
        return recorder.psnr[1]

    assert first_psnr(tiny.SQUARE) == first_psnr(Twice(Twice.Options()))


def test_fp16_on_a_cpu_is_refused_in_one_line():
    with pytest.raises(UserError, match="fp16 needs a CUDA device"):
        network_dtype("fp16", CPU)
    assert network_dtype("fp32", CPU) == torch.float32
    assert network_dtype("bf16", CPU) == torch.bfloat16
    assert network_dtype("auto", CPU) in (torch.float32, torch.bfloat16)


# -- batch norm --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "crop", "processes", "expected"),
    [
        (4, None, 1, (4, None)),
        (1, None, 1, (4, 50)),  # a whole view of 100x100 rays becomes four quarters
        (2, 12, 1, (4, 8)),  # 2 * 12^2 rays, 4 * 8^2
        (4, 10, 2, (8, 7)),
        (1, 1, 1, (4, 1)),
    ],
)
def test_batch_norm_gets_four_views_and_about_as_many_rays(batch, crop, processes, expected):
    changed = enough_views(TrainingConfig(steps=1, batch=batch, crop=crop), (100, 100), processes)
    assert (changed.batch, changed.crop) == expected


def test_the_engine_says_what_it_does_for_batch_norm():
    for norm, batch, said in ((True, 1, True), (True, 4, False), (False, 1, False)):
        reporter = tiny.Notes()
        train(tiny.student(norm=norm), photos(), tiny.SQUARE, TrainingConfig(steps=1, batch=batch), 0, reporter)
        assert any("batch norm needs 4 views a step, not 1" in note for note in reporter.notes) is said


# -- devices -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tpu", "gpu:0", "", "meta"])
def test_an_unknown_device_is_a_users_error(name):
    with pytest.raises(UserError, match="auto, cpu, cuda, cuda:1 or mps"):
        choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_there_is_a_users_error():
    assert choose_device("auto") == choose_device("cpu") == CPU
    with pytest.raises(UserError, match="no CUDA device here"):
        choose_device("cuda:1")


def test_a_module_without_tensors_computes_on_the_cpu():
    assert device_of(nn.ReLU()) == CPU
    assert device_of(nn.BatchNorm2d(1, affine=False).to("meta")) == torch.device("meta")
