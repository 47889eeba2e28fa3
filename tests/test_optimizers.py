"""How one step moves the weights: AdamW, Muon, a rate for each part, and training to the end with each."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import tiny
import torch
from test_training import SOURCE, Recorder, assert_same_weights, distilled
from torch import nn

import nfcore
from nfcore import Reporter
from nfcore.config.schema import TrainingConfig
from nfcore.training.loop import train
from nfcore.training.muon import Muon
from nfcore.training.optimizers import StudentOptimizer
from nfcore.views.training_views import TrainingViews


def photos() -> TrainingViews:
    return TrainingViews.of_photos(SOURCE.views("train"))


def optimizer_of(student: nfcore.LightField, **settings) -> StudentOptimizer:
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    return StudentOptimizer(student, TrainingConfig(steps=1, **settings), scaler)


def loss_of(student: nfcore.LightField) -> torch.Tensor:
    return student(SOURCE.views("train").cameras).square().mean()


def moved(student: nfcore.LightField, share: float = 1.0, **settings) -> dict[str, torch.Tensor]:
    """How far one step moves each weight."""
    before = copy.deepcopy(student.state_dict())
    optimizer_of(student, **settings).step(loss_of(student), share)
    return {name: tensor - before[name] for name, tensor in student.state_dict().items()}


class Table(tiny.Directions):
    """An encoding with weights of its own."""

    def __init__(self, options, scene):
        super().__init__(options, scene)
        self.table = nn.Parameter(torch.ones(3, 1, 1))

    def forward(self, origins, directions):
        return super().forward(origins, directions) * self.table


def student_with_a_table() -> nfcore.LightField:
    plain = tiny.student()
    return nfcore.LightField(
        Table(Table.Options(), tiny.SCENE),
        plain.backbone,
        plain.upsampler,
        scene=tiny.SCENE,
        cameras=plain.cameras,
    )


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch.optim.Muon is of torch 2.9")
@pytest.mark.parametrize("shape", [(48, 48), (16, 96), (96, 16), (80, 72)])
def test_muon_moves_matrices_as_torchs_own_does(generator, shape):
    ours = [torch.randn(shape, generator=generator) for _ in range(3)]
    theirs = [matrix.clone() for matrix in ours]
    settings = {"lr": 0.1, "weight_decay": 0.01, "momentum": 0.95}
    optimizers = Muon(ours, **settings), torch.optim.Muon(theirs, adjust_lr_fn="match_rms_adamw", **settings)
    for _ in range(3):
        for left, right in zip(ours, theirs, strict=True):
            left.grad = torch.randn(shape, generator=generator)
            right.grad = left.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    length = 0.2 * 0.1 * max(shape) ** 0.5
    for left, right in zip(ours, theirs, strict=True):
        assert (left - right).norm() < 0.03 * 3 * length * min(shape) ** 0.5  # theirs is in bf16: 8 bits


def test_muon_moves_each_matrix_by_an_orthogonal_one(generator):
    weight = torch.randn(24, 4, 3, 3, generator=generator).to(memory_format=torch.channels_last)
    before, optimizer = weight.clone(), Muon([weight], lr=0.1)
    weight.grad = torch.randn(weight.shape, generator=generator)
    u, _, v = torch.linalg.svd(weight.grad.flatten(1), full_matrices=False)
    optimizer.step()
    # The step's length is 0.2 sqrt(longer side) (Liu et al. 2025, equation 4); in the gradient's own basis five
    # iterations bring the singular values to between 0.5 and 1.5 (Jordan et al. 2024).
    change = (before - weight).flatten(1) / (0.1 * 0.2 * 36**0.5)
    within = u.T @ change @ v.T
    assert within.diagonal().min() > 0.5 and within.diagonal().max() < 1.5
    assert (within - within.diagonal().diag()).abs().max() < 1e-4


def test_muon_finds_the_same_step_in_either_memory_layout():
    contiguous = tiny.student(width=16)
    channels_last = copy.deepcopy(contiguous)
    channels_last.upsampler.to(memory_format=torch.channels_last)
    settings = {"optimizer": "muon", "learning_rate": 0.1}
    first, second = moved(contiguous, **settings), moved(channels_last, **settings)
    assert first["upsampler.conv.weight"].abs().max() > 0
    for name, change in first.items():
        assert torch.allclose(change, second[name], atol=1e-4), name


def test_biases_move_under_muon_as_under_adamw():
    change = {name: moved(tiny.student(), optimizer=name) for name in ("adamw", "muon")}
    bias = "backbone.layers.0.bias"
    assert torch.equal(change["adamw"][bias], change["muon"][bias])


def test_the_encoding_has_a_rate_of_its_own_and_no_decay():
    # AdamW's first step moves every weight with a gradient by its learning rate
    change = moved(student_with_a_table(), learning_rate=1e-3, encoding_learning_rate=1e-2, weight_decay=0.5)
    assert change["encoding.table"].abs().flatten().tolist() == pytest.approx([1e-2] * 3, rel=1e-4)
    assert change["backbone.layers.0.bias"].abs().max() == pytest.approx(1e-3, rel=1e-2)


def test_a_schedule_scales_all_rates_alike():
    full, half = (
        moved(student_with_a_table(), share=share, learning_rate=1e-3, encoding_learning_rate=1e-2)
        for share in (1.0, 0.5)
    )
    for name in ("encoding.table", "backbone.layers.0.bias"):
        assert torch.allclose(half[name], full[name] / 2, atol=1e-7), name


@pytest.mark.parametrize("settings", [{"optimizer": "muon"}, {"schedule": "exponential"}])
def test_an_interrupted_training_ends_with_the_same_weights_whatever_the_step(tmp_path, settings):
    path = tmp_path / "state"
    with pytest.raises(Recorder.Interrupted):
        distilled(Recorder(path, 17, interrupt=True), **settings)
    assert_same_weights(distilled(**settings), distilled(Recorder(path), **settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "muon", "learning_rate": 2e-2},
        {"schedule": "exponential", "learning_rate": 2e-2},
    ],
)
def test_the_student_learns_with_every_option(settings):
    views = SOURCE.views("test")
    student = tiny.student(width=16)
    truth = views.images.permute(0, 3, 1, 2)
    before = (student.render(views.cameras) - truth).square().mean()
    train(
        student,
        photos(),
        tiny.SQUARE,
        TrainingConfig(steps=200, batch=4, precision="fp32", **settings),
        0,
        Reporter(),
    )
    assert (student.render(views.cameras) - truth).square().mean() < before / 10


@pytest.mark.slow
def test_no_optimizer_imports_torchs_compiler_which_takes_two_seconds():
    code = """
import sys, torch
from nfcore.runtime import eager_optimizer
from nfcore.training.muon import Muon
for kind in (Muon, *map(eager_optimizer, (torch.optim.AdamW, torch.optim.Adam))):
    weight = torch.nn.Parameter(torch.eye(3))
    optimizer = kind([weight], lr=0.1)
    weight.square().sum().backward()
    optimizer.step()
    assert weight.requires_grad and not torch.equal(weight, torch.eye(3))
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
