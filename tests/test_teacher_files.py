"""Teachers in files: they come back without their photos, or a line says why not."""

from __future__ import annotations

import pytest
import tiny
import torch

from nfcore import LightField, UserError
from nfcore.io.tensors import read_safetensors, write_safetensors
from nfcore.pipeline import load_teacher, save_teacher


def test_a_teacher_comes_back_without_its_photos(tmp_path, manager, generator):
    teacher = tiny.fitted_teacher(gain=0.9)
    save_teacher(teacher, tmp_path / "t", manager)
    loaded = load_teacher(tmp_path / "t", manager)
    rays = tiny.cameras(tiny.REGION.sample(1, generator)).rays().flat()
    assert torch.equal(loaded.render(rays).rgb, teacher.render(rays).rgb)
    assert loaded.scene == teacher.scene
    assert loaded.options == teacher.options
    assert not loaded.training


def test_a_student_is_not_a_teacher_and_the_other_way_around(tmp_path, manager):
    save_teacher(tiny.fitted_teacher(), tmp_path / "teacher", manager)
    tiny.student().save(tmp_path / "student", manager)
    with pytest.raises(UserError, match="student: not a teacher of nfcore"):
        load_teacher(tmp_path / "student", manager)
    with pytest.raises(UserError, match="teacher: not a student of nfcore"):
        LightField.load(tmp_path / "teacher", manager)


@pytest.mark.parametrize(
    ("tensors", "card", "reason"),
    [
        ({"width": torch.ones(3)}, None, "its weights do not fit tiny-dist/sky: .*width"),
        (
            None,
            '{"teacher": {"name": "sky"}}',
            "damaged: scene: Field required",
        ),
        (None, "{", "damaged: Invalid JSON"),
    ],
)
def test_a_teacher_of_another_version_is_a_users_error_that_names_the_file(
    tmp_path, manager, tensors, card, reason
):
    path = tmp_path / "t"
    save_teacher(tiny.fitted_teacher(), path, manager)
    weights, metadata = read_safetensors(path)
    write_safetensors(path, tensors or weights, {"nfcore-teacher": card or metadata["nfcore-teacher"]})
    with pytest.raises(UserError, match=f"t: {reason}") as error:
        load_teacher(path, manager)
    assert "\n" not in str(error.value)
