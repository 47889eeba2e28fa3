"""Training learns, repeats itself bit for bit, and goes on where it was interrupted."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny
import torch

import nfcore
from nfcore import NfcoreError, Reporter
from nfcore.config.schema import DistillConfig, FinetuneConfig, TrainingConfig
from nfcore.interfaces import budget
from nfcore.interfaces.boundaries import ContractError
from nfcore.io.tensors import load_state, save_state
from nfcore.pipeline import distill, finetune
from nfcore.training.loop import train
from nfcore.views.pseudo_views import PseudoViews
from nfcore.views.training_views import TrainingViews

pytestmark = pytest.mark.slow

SOURCE = tiny.Ring(tiny.Ring.Options())


def photos() -> TrainingViews:
    return TrainingViews.of_photos(SOURCE.views("train"))


class Recorder(Reporter):
    """Keeps what it is told, takes the checkpoint at one step, and begins from one if it has it.

    ``interrupt`` ends the training right after that checkpoint, as a killed process would.
    """

    class Interrupted(Exception):  # noqa: N818 - it stands for a kill
        pass

    def __init__(self, path=None, checkpoint_at: int | None = None, interrupt: bool = False) -> None:
        self.path, self.checkpoint_at, self.interrupt = path, checkpoint_at, interrupt
        self.psnr: dict[int, float] = {}
        self.images: dict[str, torch.Tensor] = {}

    def step(self, step, **scalars):
        self.psnr[step] = scalars["psnr"]

    def checkpoint(self, step, state):
        if step == self.checkpoint_at:
            save_state(self.path, state())
            if self.interrupt:
                raise self.Interrupted

    def restore(self):
        return load_state(self.path) if self.path and self.path.exists() and not self.interrupt else None

    def image_due(self):
        return True

    def image(self, name, image):
        self.images[name] = image


def distilled(
    reporter: Reporter | None = None, seed: int = 0, scratch: Path | None = None, **changes
) -> nfcore.LightField:
    settings = {
        "steps": 40,
        "views": 8,
        "first_views": 2,
        "batch": 4,
        "crop": 2,
        "shift": True,
        "precision": "fp32",
    }
    student = tiny.student(encoding={"jitter": 0.05}, norm=True)
    distill(
        student,
        tiny.fitted_teacher(),
        SOURCE,
        DistillConfig(**settings | changes),
        seed=seed,
        reporter=reporter,
        scratch=scratch,
    )
    return student


def assert_same_weights(left, right):
    for name, tensor in left.state_dict().items():
        assert torch.equal(tensor, right.state_dict()[name]), name


# -- what comes of it --------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_student_learns_what_the_teacher_shows(precision):
    views = SOURCE.views("test")
    student = tiny.student(width=16)
    truth = views.images.permute(0, 3, 1, 2)
    before = (student.render(views.cameras) - truth).square().mean()
    config = DistillConfig(steps=300, views=8, batch=4, learning_rate=2e-2, precision=precision)
    distill(student, tiny.fitted_teacher(), SOURCE, config)
    after = (student.render(views.cameras) - truth).square().mean()
    assert after < before / 20  # 13 dB
    assert not student.training


def test_fine_tuning_learns_the_photos():
    student = tiny.student(width=16)
    recorder = Recorder()
    finetune(student, SOURCE, FinetuneConfig(steps=200, batch=4, learning_rate=2e-2), reporter=recorder)
    assert recorder.psnr[200] > recorder.psnr[10] + 5
    assert not student.training


def test_the_encoding_is_prepared_from_the_teacher_before_the_first_step():
    student = distilled(steps=0)
    teacher = tiny.fitted_teacher()
    assert teacher.brightness > 0.5
    assert torch.equal(student.encoding.prepared, teacher.brightness)


class Drawing(tiny.Directions):
    """Directions; keeps a number that it draws from the default generator when it is prepared."""

    def prepare(self, teacher, scene, cameras):
        self.prepared = torch.rand(())


def test_what_the_encoding_draws_when_it_is_prepared_follows_from_the_seed_alone():
    drawn = []
    for seed, before in ((0, 1), (0, 2), (1, 2)):
        student = tiny.student()
        student.encoding = Drawing(Drawing.Options(), tiny.SCENE)
        torch.manual_seed(before)
        expected = torch.rand(2)  # the caller's numbers go on as if none had been drawn
        torch.manual_seed(before)
        distill(student, tiny.fitted_teacher(), SOURCE, DistillConfig(steps=0), seed=seed)
        assert torch.equal(torch.rand(2), expected)
        drawn.append(float(student.encoding.prepared))
    assert drawn[0] == drawn[1] != drawn[2]


def test_no_steps_leave_the_weights_as_they_were():
    student = tiny.student()
    before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    finetune(student, SOURCE, FinetuneConfig(steps=0))
    for name, tensor in student.state_dict().items():
        assert torch.equal(tensor, before[name])


# -- repeatability -----------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first = distilled(seed=1)
    assert_same_weights(first, distilled(seed=1))
    other = distilled(seed=2)
    assert not torch.equal(first.backbone.layers[0].weight, other.backbone.layers[0].weight)


def test_the_global_random_state_neither_changes_nor_matters():
    with torch.random.fork_rng():
        torch.manual_seed(123)
        state = torch.get_rng_state()
        first = distilled()
        torch.set_rng_state(state)  # the student's first weights come from it
        torch.rand(5)
        second = distilled()
    assert_same_weights(first, second)
    student = tiny.student(encoding={"jitter": 0.05})
    before = torch.get_rng_state()
    finetune(student, SOURCE, FinetuneConfig(steps=2, batch=2))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("step", [1, 7, 39])
def test_an_interrupted_training_ends_with_the_same_weights(tmp_path, step):
    path = tmp_path / "state"
    with pytest.raises(Recorder.Interrupted):
        distilled(Recorder(path, step, interrupt=True))
    through, again = Recorder(), Recorder(path)
    assert_same_weights(distilled(through), distilled(again))
    assert again.psnr == {at: psnr for at, psnr in through.psnr.items() if at > step}  # and the same figures


@pytest.fixture
def four_threads():
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(1)


@pytest.mark.usefixtures("four_threads")
def test_rendering_in_the_background_changes_no_bit():
    assert_same_weights(distilled(background=True), distilled(background=False))


@pytest.mark.usefixtures("four_threads")
def test_no_thread_is_left_when_the_training_ends(monkeypatch):
    threads = set()
    monkeypatch.setattr(
        PseudoViews,
        "_render",
        lambda *a, f=PseudoViews._render: (threads.add(threading.current_thread()), f(*a))[1],
    )
    before = threading.active_count()
    distilled()
    assert threads - {threading.current_thread()}

    def whole_views_are_nan(self, rays, render=tiny.Sky.render):
        seen = render(self, rays)
        return replace(seen, rgb=seen.rgb * float("nan")) if len(rays) == 16 * 16 else seen

    monkeypatch.setattr(tiny.Sky, "render", whole_views_are_nan)
    with pytest.raises(ContractError, match=r"teacher\.finite.*pseudo view"):
        distill(tiny.student(), tiny.fitted_teacher(), SOURCE, DistillConfig(steps=5))
    assert threading.active_count() == before


def test_views_in_a_file_give_the_same_weights_as_in_memory(tmp_path):
    room = {"view_memory": 2.5 * 16 * 16 * 3 / 2**30}
    whole, replaced = distilled(), distilled(**room)
    assert not torch.equal(whole.backbone.layers[0].weight, replaced.backbone.layers[0].weight)
    assert_same_weights(whole, distilled(**room, view_disk=1.0, scratch=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_where_views_replace_the_oldest_they_come_until_the_end(monkeypatch):
    shown = []
    prepare = PseudoViews.prepare

    def noted(self, step):
        prepare(self, step)
        shown.append(self.rendered)

    monkeypatch.setattr(PseudoViews, "prepare", noted)
    distilled(steps=100, views=30)
    assert shown.index(30) <= 41  # all are there after 40% of the steps
    shown.clear()
    distilled(steps=100, views=30, view_memory=8.5 * 16 * 16 * 3 / 2**30)
    assert 85 <= shown.index(30) <= 96


def test_taking_a_checkpoint_changes_nothing(tmp_path):
    assert_same_weights(distilled(), distilled(Recorder(tmp_path / "state", 11)))


def test_previews_change_nothing_but_are_shown():
    recorder = Recorder()
    assert_same_weights(distilled(), distilled(recorder))
    assert recorder.images["student"].shape == (16, 32, 3)


# -- what can go wrong -------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_is_an_error_that_says_what_to_change():
    student = tiny.student()
    views = TrainingViews.of_photos(SOURCE.views("train"))
    with torch.no_grad():
        student.backbone.layers[0].weight.fill_(float("nan"))
    with pytest.raises(NfcoreError, match=r"step 0.*Mixing.*lower learning_rate"):
        train(student, views, tiny.SQUARE, TrainingConfig(steps=20, batch=2), 0, Reporter())


def test_a_loss_that_is_no_number_never_reaches_a_checkpoint(tmp_path):
    recorder = Recorder(tmp_path / "state", checkpoint_at=5)
    student = tiny.student()
    with torch.no_grad():
        student.backbone.layers[0].weight.fill_(float("nan"))
    with pytest.raises(NfcoreError):
        train(
            student,
            TrainingViews.of_photos(SOURCE.views("train")),
            tiny.SQUARE,
            TrainingConfig(steps=20, batch=2),
            0,
            recorder,
        )
    assert not (tmp_path / "state").exists()


def test_a_time_limit_ends_the_training_early(monkeypatch):
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: 0.01 * next(ticks))  # each look at it takes 10 ms
    monkeypatch.setattr(budget, "time", clock)
    recorder = Recorder()
    finetune(tiny.student(), SOURCE, FinetuneConfig(steps=10**6, seconds=1.0, batch=2), reporter=recorder)
    assert 10 <= max(recorder.psnr) <= 100
