"""What a person is told about a wrong scene, option or name."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

import nfcore
from nfcore import Budget, Scene, UserError
from nfcore.config.schema import DistillConfig
from nfcore.errors import nearest
from nfcore.options import parse

BOX = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


class Inner(nfcore.Options):
    octaves: int = Field(4, ge=1, description="Frequencies")


class Outer(nfcore.Options):
    width: int = Field(description="Channels")
    rate: float = Field(0.1, gt=0, description="Share")
    inner: Inner = Field(Inner(), description="More")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"near": 6, "far": 2, "box": BOX}, r"near \(6.0\) must be less than far \(2.0\)"),
        ({"near": 2, "far": 2, "box": BOX}, "must be less than far"),
        ({"near": 0, "far": 2, "box": BOX}, "greater than 0"),
        ({"near": 2, "far": 6, "box": BOX[::-1]}, "lower corner first"),
        ({"near": 2, "far": 6, "box": BOX, "colour": 1}, "'colour'"),
        ({"near": 2, "far": float("inf"), "box": BOX}, "far.*finite"),
        ({"near": float("nan"), "far": 6, "box": BOX}, "near"),
        ({"near": 2, "far": 6, "box": BOX, "background": (255, 255, 255)}, "background.*255"),
    ],
)
def test_a_scene_with_bounds_that_make_no_sense_is_refused_in_one_line(values, reason):
    with pytest.raises(UserError, match=f"^Scene: .*{reason}") as error:
        Scene(**values)
    assert "\n" not in str(error.value)


def test_a_scene_survives_json():
    scene = Scene(near=0.1, far=1 / 3, box=BOX, background=(0.1, 0.2, 0.3), forward_facing=True)
    assert Scene.model_validate_json(scene.model_dump_json()) == scene


def test_options_that_are_right_are_taken_and_can_not_be_changed():
    options = parse(Outer, {"width": 3, "inner": {"octaves": 2}}, "backbone 'x'")
    assert (options.width, options.rate, options.inner.octaves) == (3, 0.1, 2)
    with pytest.raises(ValidationError):
        options.width = 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 1, "widht": 2}, "backbone 'x': unknown option 'widht'; did you mean 'width'?"),
        ({"width": 1, "zzz": 2}, "backbone 'x': unknown option 'zzz'; there is inner, rate, width"),
        (
            {"width": 1, "inner": {"octave": 2}},
            "backbone 'x': unknown option 'inner.octave'; did you mean 'octaves'?",
        ),
        ({}, "backbone 'x': option 'width' is missing"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(values, message):
    with pytest.raises(UserError) as error:
        parse(Outer, values, "backbone 'x'")
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"width": "wide"}, ["backbone 'x': width:", "integer", "'wide'"]),
        ({"width": 1, "rate": -1.0}, ["rate:", "greater than 0", "-1.0"]),
        ({"width": 1, "inner": {"octaves": 0}}, ["inner.octaves:", "greater than or equal to 1", "0"]),
        ({"width": 1, "inner": 5}, ["inner:", "5"]),
    ],
)
def test_a_wrong_value_is_answered_with_what_would_be_right(values, said):
    with pytest.raises(UserError) as error:
        parse(Outer, values, "backbone 'x'")
    assert "\n" not in str(error.value)
    for part in said:
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: DistillConfig(stesp=1), ["DistillConfig", "'stesp'", "'steps'"]),
        (lambda: Outer(width=1, inner={"octaves": 0}), ["Outer", "inner.octaves", "0"]),
        (lambda: Outer(width="wide"), ["Outer", "width", "'wide'"]),
        (lambda: Budget(-1), ["Budget", "steps", "-1"]),
        (lambda: Budget(1.5), ["Budget", "steps", "1.5"]),
        (lambda: Budget(1, seconds=0), ["Budget", "seconds", "0"]),
        (lambda: Budget(1, seed="7"), ["Budget", "seed", "'7'"]),
        (lambda: parse(Outer, 5, "backbone 'x'"), ["backbone 'x'", "mapping", "5"]),
    ],
)
def test_a_mistake_in_python_reads_as_on_the_command_line(make, named):
    with pytest.raises(UserError) as error:
        make()
    assert "\n" not in str(error.value)
    for part in named:
        assert part in str(error.value)


def test_two_mistakes_at_once_are_told_in_one_line():
    with pytest.raises(UserError) as error:
        parse(Outer, {"widht": 1}, "here")
    assert (
        str(error.value) == "here: option 'width' is missing; here: unknown option 'widht'; did you mean 'width'?"
    )


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("voxel", ["voxels", "nerf"], "did you mean 'voxels'?"),
        ("abc", ["abd", "abe"], "did you mean 'abe' or 'abd'?"),
        ("x", ["voxels", "nerf"], "there is nerf, voxels"),
        ("x", [], "there is none"),
    ],
)
def test_the_nearest_names_are_offered(name, known, hint):
    assert nearest(name, known) == hint
