"""A loss is a component: what it is given, what it may ask for, and what is said of one that does not fit."""

from __future__ import annotations

import pytest
import tiny
import torch
from test_training import assert_same_weights

import nfcore
from nfcore import PluginError, Reporter, UserError
from nfcore.config.resolve import configure
from nfcore.config.schema import DistillConfig, FinetuneConfig, TrainingConfig
from nfcore.options import parse
from nfcore.pipeline import distill, finetune
from nfcore.pipeline.losses import build_loss
from nfcore.training.loop import train
from nfcore.views.training_views import TrainingViews

SOURCE = tiny.Ring(tiny.Ring.Options())
SETTINGS = {"steps": 12, "views": 6, "first_views": 2, "batch": 8, "crop": 2, "precision": "fp32"}


def distilled(minimised: nfcore.Loss | None, **changes) -> nfcore.LightField:
    student = tiny.student(width=16)
    distill(student, tiny.fitted_teacher(), SOURCE, DistillConfig(**SETTINGS | changes), loss=minimised)
    return student


class Noting(tiny.OpaqueSquare):
    """Keeps what every step gave it."""

    def __init__(self, options) -> None:
        super().__init__(options)
        self.all: list[tuple[torch.Tensor, ...]] = []

    def forward(self, image, target, opacity=None, depth=None):
        self.all.append((target, opacity, depth))
        return super().forward(image, target, opacity, depth)


# -- by name -----------------------------------------------------------------------------------------


def test_a_loss_is_named_in_the_configuration_with_its_options():
    old = parse(DistillConfig, {"steps": 1, "loss": "mse"}, "config.toml")  # as nfcore 0.1 wrote it
    assert old == DistillConfig(steps=1, loss={"name": "mse"}) == DistillConfig(steps=1)
    assert isinstance(build_loss(DistillConfig(steps=1, loss="square"), tiny.manager()), tiny.Square)


def test_an_unknown_loss_names_those_that_there_are():
    with pytest.raises(PluginError, match=r"unknown loss 'l1'.*square"):
        configure("tiny", tiny.manager(), changes=["distill.loss=l1"])


def test_an_unknown_option_of_a_loss_names_its_place():
    with pytest.raises(UserError, match=r"distill\.loss \(square\).*'power'"):
        configure("tiny", tiny.manager(), changes=["distill.loss.power=3"])


def test_the_named_loss_is_what_is_minimised():
    assert_same_weights(distilled(tiny.SQUARE), distilled(None, loss="mse"))


# -- what it is given --------------------------------------------------------------------------------


@pytest.mark.parametrize("photos", [0.0, 0.5])
def test_a_loss_that_asks_is_given_the_teachers_opacity_and_depth(photos):
    loss = Noting(Noting.Options())
    distilled(loss, photos=photos, photos_from=1.0)
    opaque = 0
    for target, opacity, depth in loss.all:
        assert target.shape == (8, 3, 8, 8)
        assert opacity.shape == depth.shape == (8, 1, 8, 8)
        assert opacity.dtype == depth.dtype == torch.float32
        assert set(opacity.unique().tolist()) <= {0.0, 1.0}  # the ball is solid
        # the tiny teacher's depth is the distance of the camera: 3 to 4, and 3.5 of the photos
        inside = depth[opacity > 0]
        assert ((inside > 2.9) & (inside < 4.2)).all()
        assert (depth[opacity == 0] == 0).all()
        opaque += len(inside)
    assert opaque > 100


def test_the_colours_are_the_same_with_and_without_opacity_and_depth():
    class Plain(Noting):
        uses_geometry = False

        def forward(self, image, target, opacity=None, depth=None):
            assert opacity is None and depth is None
            self.all.append((target,))
            return (image - target).square().mean()

    asking, plain = Noting(Noting.Options()), Plain(Plain.Options())
    distilled(asking)
    distilled(plain)
    for (left, *_), (right,) in zip(asking.all, plain.all, strict=True):
        assert torch.equal(left, right)


def test_what_the_teacher_does_not_see_is_not_learned_by_a_loss_that_ignores_it():
    views = TrainingViews.of_photos(SOURCE.views("train")).with_geometry(tiny.fitted_teacher())
    views.opacity.zero_()
    student = tiny.student(width=16)
    before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    settings = TrainingConfig(steps=5, batch=4, weight_decay=0.0)
    train(student, views, tiny.OpaqueSquare(tiny.OpaqueSquare.Options()), settings, 0, Reporter())
    for name, tensor in student.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_opacity_and_depth_count_towards_the_memory_of_the_views():
    class Told(Reporter):
        def note(self, text):
            notes.append(text)

    for loss, room in ((tiny.SQUARE, 6), (tiny.OpaqueSquare(tiny.OpaqueSquare.Options()), 3)):
        notes: list[str] = []
        memory = 6.5 * 16 * 16 * 3 / 2**30
        settings = DistillConfig(**SETTINGS | {"views": 8, "view_memory": memory})
        distill(tiny.student(), tiny.fitted_teacher(), SOURCE, settings, loss=loss, reporter=Told())
        assert f"room for {room} of 8" in notes[0]


# -- what does not fit -------------------------------------------------------------------------------


def test_fine_tuning_refuses_a_loss_that_needs_the_teacher():
    with pytest.raises(UserError, match=r"finetune\.loss: opaque-square .*opacity and depth"):
        configure("tiny", tiny.manager(), changes=["finetune.loss=opaque-square"])
    loss = tiny.OpaqueSquare(tiny.OpaqueSquare.Options())
    with pytest.raises(UserError, match=r"finetune\.loss: OpaqueSquare .*opacity and depth"):
        finetune(tiny.student(), SOURCE, FinetuneConfig(steps=1), loss=loss)


@pytest.mark.parametrize(
    ("cost", "rule"),
    [
        (lambda image: (image**2).mean((1, 2, 3)), "loss.scalar"),
        (lambda image: 0.0, "loss.scalar"),
        (lambda image: (image**2).mean().detach(), "loss.gradient"),
    ],
)
def test_a_loss_that_is_no_scalar_of_the_image_is_named_with_its_rule(cost, rule):
    class Wrong(tiny.Square):
        def forward(self, image, target, opacity=None, depth=None):
            return cost(image)

    views = TrainingViews.of_photos(SOURCE.views("train"))
    with pytest.raises(PluginError, match=rf"Wrong breaks {rule}"):
        train(tiny.student(), views, Wrong(Wrong.Options()), TrainingConfig(steps=1, batch=4), 0, Reporter())
