"""One training step: optimisers, averages, losses, precision, batch norm and the choice of the best weights."""

from __future__ import annotations

import copy
import functools
import sys

import pytest
import tiny
import torch
from test_training import SOURCE, Recorder, assert_same_weights, distilled
from torch import nn

import nfcore
from nfcore import NfcoreError, Reporter, UserError
from nfcore.config.schema import FinetuneConfig, TrainingConfig
from nfcore.pipeline import finetune
from nfcore.runtime.devices import choose_device, device_of
from nfcore.training.averaging import MovingAverage
from nfcore.training.batch_norm import enough_views
from nfcore.training.loop import train
from nfcore.training.losses import LOSSES
from nfcore.training.muon import Muon
from nfcore.training.optimizers import StudentOptimizer
from nfcore.training.precision import network_dtype
from nfcore.views.training_views import TrainingViews

CPU = torch.device("cpu")


class Notes(Reporter):
    def __init__(self):
        self.notes: list[str] = []

    def note(self, text):
        self.notes.append(text)


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


# -- optimisers --------------------------------------------------------------------------------------


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


def test_a_long_gradient_is_clipped_and_a_short_one_is_not():
    student = tiny.student()
    for clip, length in ((1e-3, 1e-3), (1e3, None)):
        optimizer = optimizer_of(copy.deepcopy(student), clip=clip)
        loss = 100 * loss_of(student)
        gradients = torch.autograd.grad(loss, list(student.parameters()))
        free = torch.stack([g.norm() for g in gradients]).norm()
        twin = copy.deepcopy(student)
        optimizer = optimizer_of(twin, clip=clip)
        optimizer.step(100 * loss_of(twin), 1.0)
        norm = torch.stack([p.grad.norm() for p in optimizer.moved]).norm()
        assert float(norm) == pytest.approx(length or float(free), rel=1e-3)


@pytest.mark.parametrize("settings", [{"optimizer": "muon"}, {"ema": 0.9}, {"loss": "charbonnier", "clip": 0.01}])
def test_an_interrupted_training_ends_with_the_same_weights_whatever_the_step(tmp_path, settings):
    path = tmp_path / "state"
    with pytest.raises(Recorder.Interrupted):
        distilled(Recorder(path, 17, interrupt=True), **settings)
    assert_same_weights(distilled(**settings), distilled(Recorder(path), **settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "muon", "learning_rate": 2e-2},
        {"ema": 0.95, "learning_rate": 2e-2},
        {"loss": "charbonnier", "learning_rate": 2e-2},
        {"loss": "l1", "learning_rate": 2e-2},
        {"clip": 0.1, "learning_rate": 2e-2},
        {"schedule": "constant", "learning_rate": 1e-2},
    ],
)
def test_the_student_learns_with_every_option(settings):
    views = SOURCE.views("test")
    student = tiny.student(width=16)
    truth = views.images.permute(0, 3, 1, 2)
    before = (student.render(views.cameras) - truth).square().mean()
    train(student, photos(), TrainingConfig(steps=200, batch=4, precision="fp32", **settings), 0, Reporter())
    assert (student.render(views.cameras) - truth).square().mean() < before / 10


def test_compiled_training_learns_as_uncompiled_does(monkeypatch):
    # Traced and differentiated as with the default backend, but run by torch: generating C++ takes a minute.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))

    def final(compile_it: bool) -> float:
        recorder = Recorder()
        settings = {"steps": 20, "batch": 4, "learning_rate": 2e-2, "precision": "fp32", "compile": compile_it}
        train(tiny.student(width=16), photos(), TrainingConfig(**settings), 0, recorder)
        return recorder.psnr[20]

    assert final(True) == pytest.approx(final(False), abs=0.05)


def test_a_failed_compilation_is_one_line_that_says_what_to_set(monkeypatch):
    def no_compiler(graph, inputs):
        raise OSError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=no_compiler))
    with pytest.raises(NfcoreError, match=r"torch.compile failed .*no C\+\+ compiler.*: set compile=false"):
        train(tiny.student(), photos(), TrainingConfig(steps=1, batch=4, compile=True), 0, Reporter())


# -- averages ----------------------------------------------------------------------------------------


def test_the_average_is_an_exponential_one_that_begins_short():
    layer = nn.Linear(1, 1, bias=False)
    average = MovingAverage(layer, 0.5)
    expected = layer.weight.item()
    for step, value in enumerate([1.0, 2.0, 4.0, 8.0], start=1):
        with torch.no_grad():
            layer.weight.fill_(value)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert float(average.average[0]) == pytest.approx(expected)
    with average.in_place():
        assert layer.weight.item() == pytest.approx(expected)
    assert layer.weight.item() == 8.0
    average.keep()
    assert layer.weight.item() == pytest.approx(expected)


def test_the_average_holds_batch_norms_running_statistics():
    norm = nn.BatchNorm2d(2)
    average = MovingAverage(norm, 0.5)
    norm.train()(torch.full((4, 2, 3, 3), 7.0))
    average.update(100)
    average.keep()
    assert torch.allclose(norm.running_mean, torch.full((2,), 0.35))  # momentum 0.1, then half of it


def test_the_result_of_a_training_with_an_average_is_the_average():
    def after(**settings) -> nfcore.LightField:
        student = tiny.student(width=16)
        train(student, photos(), TrainingConfig(steps=30, batch=4, precision="fp32", **settings), 0, Reporter())
        return student

    plain, averaged = after(), after(ema=0.9)
    name = "backbone.layers.0.weight"
    assert not torch.equal(plain.state_dict()[name], averaged.state_dict()[name])
    assert torch.allclose(plain.state_dict()[name], averaged.state_dict()[name], atol=0.05)


# -- losses and precision ----------------------------------------------------------------------------


def test_the_losses_are_what_their_names_say():
    image, truth = torch.tensor([[[[0.5, 0.2]]]]), torch.tensor([[[[0.1, 0.2]]]])
    assert float(LOSSES["mse"](image, truth)) == pytest.approx(0.16 / 2)
    assert float(LOSSES["l1"](image, truth)) == pytest.approx(0.4 / 2)
    # sqrt(0.4^2 + 1e-6) and sqrt(1e-6)
    assert float(LOSSES["charbonnier"](image, truth)) == pytest.approx((0.40000125 + 0.001) / 2)


def test_the_reported_psnr_is_that_of_squared_errors_whatever_the_loss():
    def first_psnr(loss: str) -> float:
        recorder = Recorder()
        train(tiny.student(), photos(), TrainingConfig(steps=1, batch=4, loss=loss), 0, recorder)
        return recorder.psnr[1]

    assert first_psnr("mse") == pytest.approx(first_psnr("l1")) == pytest.approx(first_psnr("charbonnier"))


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
        reporter = Notes()
        train(tiny.student(norm=norm), photos(), TrainingConfig(steps=1, batch=batch), 0, reporter)
        assert any("batch norm needs 4 views a step, not 1" in note for note in reporter.notes) is said


# -- divergence --------------------------------------------------------------------------------------


def test_a_student_that_collapses_stops_with_what_to_try():
    student = tiny.student(width=16)
    recorder = Recorder()
    train(student, photos(), TrainingConfig(steps=300, batch=4, learning_rate=2e-2), 0, recorder)
    assert recorder.psnr[300] > 20

    class Saturating(Recorder):
        def step(self, step, **scalars):
            super().step(step, **scalars)
            if step == 100:
                with torch.no_grad():
                    student.upsampler.conv.bias.fill_(50.0)  # white everywhere, and no gradient that leads back

    with pytest.raises(NfcoreError, match=r"collapsed: .* after .* dB.*lower learning_rate"):
        train(student, photos(), TrainingConfig(steps=400, batch=4), 0, Saturating())


def test_weights_that_are_no_numbers_never_reach_a_checkpoint(tmp_path):
    class Poisoned(Recorder):
        def checkpoint(self, step, state):
            with torch.no_grad():
                student.backbone.layers[0].weight[0] = float("inf")
            super().checkpoint(step, state)

    student = tiny.student()
    with pytest.raises(NfcoreError, match="weights are no numbers at step 1"):
        train(student, photos(), TrainingConfig(steps=5, batch=2), 0, Poisoned(tmp_path / "state", 1))
    assert not (tmp_path / "state").exists()


# -- the best weights --------------------------------------------------------------------------------


def test_fine_tuning_keeps_the_best_of_several_moments(monkeypatch):
    scores = iter([20.0, 21.0, 25.0, 24.0, 23.0])  # before, and at four moments
    seen: list[dict[str, torch.Tensor]] = []

    def judge(student, views, metrics):
        seen.append({name: tensor.clone() for name, tensor in student.state_dict().items()})
        return nfcore.pipeline.Evaluation({"psnr": (next(scores),)}, ("held out",))

    # the package's function of the same name hides the module from a dotted path
    monkeypatch.setattr(sys.modules["nfcore.pipeline.finetune"], "evaluate_student", judge)
    student, reporter = tiny.student(), Notes()
    verdict = finetune(student, SOURCE, FinetuneConfig(steps=40, batch=2), reporter=reporter)
    assert (verdict.step, verdict.before, verdict.after, verdict.kept) == (20, 20.0, 25.0, True)
    for name, tensor in student.state_dict().items():
        assert torch.equal(tensor, seen[2][name])
    assert "20.00 dB before, 25.00 dB at best, 23.00 dB at the end" in reporter.notes[-1]


def test_fine_tuning_that_makes_worse_leaves_the_student_as_it_was():
    student = tiny.student(width=16)
    train(student, photos(), TrainingConfig(steps=300, batch=4, learning_rate=2e-2), 0, Reporter())
    before = copy.deepcopy(student.state_dict())
    settings = FinetuneConfig(steps=9, batch=2, learning_rate=1.0, warmup=0.0, schedule="constant")
    verdict = finetune(student, SOURCE, settings)
    assert (verdict.step, verdict.kept, verdict.after) == (0, False, verdict.before)
    for name, tensor in student.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("step", [1, 15, 29])
def test_an_interrupted_fine_tuning_chooses_the_same_weights(tmp_path, step):
    def tuned(recorder):
        student = tiny.student(width=16)
        settings = FinetuneConfig(steps=30, batch=2, learning_rate=1e-2, ema=0.8, evaluations=5)
        return student, finetune(student, SOURCE, settings, reporter=recorder)

    path = tmp_path / "state"
    with pytest.raises(Recorder.Interrupted):
        tuned(Recorder(path, step, interrupt=True))
    (through, first), (again, second) = tuned(Recorder()), tuned(Recorder(path))
    assert first == second
    assert_same_weights(through, again)


# -- devices -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tpu", "gpu:0", "", "meta"])
def test_an_unknown_device_is_a_users_error(name):
    with pytest.raises(UserError, match="write auto, cpu, cuda or cuda:1"):
        choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_there_is_a_users_error():
    assert choose_device("auto") == choose_device("cpu") == CPU
    with pytest.raises(UserError, match="no CUDA device here"):
        choose_device("cuda:1")


def test_a_module_without_tensors_computes_on_the_cpu():
    assert device_of(nn.ReLU()) == CPU
    assert device_of(nn.BatchNorm2d(1, affine=False).to("meta")) == torch.device("meta")
