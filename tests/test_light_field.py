"""A student is one file that needs nothing but its plugins."""

from __future__ import annotations

import json
import shutil

import pytest
import safetensors.torch
import tiny
import torch

from nfcore import Cameras, LightField, PluginError, UserError
from nfcore.io.tensors import read_safetensors
from nfcore.plugin.manager import PluginManager


@pytest.fixture
def saved(tmp_path, manager):
    student = tiny.student(norm=True)
    student.encoding.prepare(tiny.fitted_teacher(), tiny.SCENE, tiny.cameras(torch.eye(4)[None, :3]))
    path = tmp_path / "run" / "student.safetensors"
    student.save(path, manager)
    return student, path


def rewritten(path, tensors=None, **card):
    """Write the student in ``path`` again with changes to its card or its tensors."""
    old, metadata = read_safetensors(path)
    metadata["nfcore"] = json.dumps(json.loads(metadata["nfcore"]) | card)
    safetensors.torch.save_file(old | (tensors or {}), path, metadata)


def test_a_saved_student_renders_the_same_bits_from_another_folder(saved, tmp_path, manager):
    student, path = saved
    elsewhere = tmp_path / "elsewhere" / "renamed.safetensors"
    elsewhere.parent.mkdir()
    shutil.move(path, elsewhere)
    loaded = LightField.load(elsewhere, manager)
    assert not loaded.training
    assert torch.equal(loaded.render(loaded.cameras), student.render(student.cameras))
    assert loaded.scene == student.scene
    for name, tensor in student.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_a_student_saved_in_channels_last_renders_the_same_bits(tmp_path, manager):
    student = tiny.student()
    student.backbone.to(memory_format=torch.channels_last)
    student.save(tmp_path / "s", manager)
    loaded = LightField.load(tmp_path / "s", manager)
    for name, tensor in student.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_a_file_holds_no_path_and_no_code(saved):
    _, path = saved
    _, metadata = read_safetensors(path)
    assert set(metadata) == {"nfcore"}
    card = json.loads(metadata["nfcore"])
    assert card["backbone"] == {"name": "tiny-dist/mixing", "options": {"width": 8, "norm": True}}
    assert str(path.parent) not in metadata["nfcore"]


def test_the_image_is_a_function_of_the_camera_at_any_size_that_fits(generator):
    student = tiny.student().eval()
    large = tiny.cameras(tiny.REGION.sample(3, generator), 8, 20)
    images = student(large)
    assert images.shape == (3, 3, 8, 20)
    assert 0 <= images.min() <= images.max() <= 1
    torch.testing.assert_close(student(large[1]), images[1:2])
    with pytest.raises(UserError, match="8x18 does not divide into 4x4 blocks; 8x16 or 8x20 would fit"):
        student(Cameras(large.poses, large.intrinsics, 8, 18))


def test_rendering_in_batches_gives_what_one_batch_gives(generator):
    student = tiny.student()
    seen = tiny.cameras(tiny.REGION.sample(5, generator))
    torch.testing.assert_close(student.render(seen, batch=2), student.render(seen, batch=5))


@pytest.mark.parametrize("training", [True, False])
def test_rendering_is_in_eval_mode_and_leaves_the_mode_as_it_was(training):
    student = tiny.student(norm=True, encoding={"jitter": 0.5}).train(training)
    first, second = (student.render(student.cameras) for _ in range(2))
    assert torch.equal(first, second)  # neither jitter nor batch statistics
    assert not first.requires_grad
    assert all(module.training is training for module in student.modules())


def test_rendering_that_fails_leaves_the_mode_as_it_was():
    student = tiny.student().train()
    wrong = Cameras(student.cameras.poses, student.cameras.intrinsics, 15, 16)
    with pytest.raises(UserError):
        student.render(wrong)
    assert student.training


def test_parts_that_do_not_fit_are_refused_with_both_numbers():
    student = tiny.student()
    shuffle = tiny.Shuffle(tiny.Shuffle.Options(), 5, 4)
    with pytest.raises(UserError, match=r"Mixing .*8 channels, Shuffle .*5"):
        LightField(student.encoding, student.backbone, shuffle, scene=tiny.SCENE, cameras=student.cameras)


def test_an_image_size_that_the_scale_does_not_divide_is_refused():
    with pytest.raises(UserError, match="18x18 does not divide into 4x4 blocks; 16x16 or 20x20"):
        tiny.student(side=18)


def test_a_picture_is_what_one_camera_sees_as_bytes():
    student = tiny.student()
    picture = student.picture(student.cameras[0])
    assert (picture.shape, picture.dtype) == ((16, 16, 3), "uint8")
    assert (
        abs(picture / 255 - student.render(student.cameras[0])[0].permute(1, 2, 0).numpy()).max()
        <= 0.5 / 255 + 1e-6
    )
    with pytest.raises(UserError, match="one camera, not 2"):
        student.picture(student.cameras[:2])


# -- files that are not what they should be ----------------------------------------------------------


def test_a_missing_file_is_a_users_error(tmp_path, manager):
    with pytest.raises(UserError, match=r"student\.safetensors: no such file"):
        LightField.load(tmp_path / "student.safetensors", manager)


@pytest.mark.parametrize("keep", [0, 50, -1])
def test_a_truncated_file_is_a_users_error(saved, manager, keep):
    _, path = saved
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"student\.safetensors: not a readable safetensors file"):
        LightField.load(path, manager)


def test_a_foreign_safetensors_file_is_a_users_error(tmp_path, manager):
    safetensors.torch.save_file({"w": torch.ones(1)}, tmp_path / "foreign")
    with pytest.raises(UserError, match="foreign: not a student of nfcore"):
        LightField.load(tmp_path / "foreign", manager)


def test_a_file_of_a_newer_format_says_so(saved, manager):
    _, path = saved
    rewritten(path, format=99)
    with pytest.raises(UserError, match=r"written by a newer nfcore \(format 99, this one reads 1\)"):
        LightField.load(path, manager)


def test_a_newer_format_says_so_even_where_its_card_has_other_fields(saved, manager):
    _, path = saved
    rewritten(path, format=99, hologram=True)
    with pytest.raises(UserError, match="newer nfcore"):
        LightField.load(path, manager)


@pytest.mark.parametrize("card", [{"scale": "four"}, {"scene": {}}, {"encoding": 3}])
def test_a_damaged_card_is_a_users_error(saved, manager, card):
    _, path = saved
    rewritten(path, **card)
    with pytest.raises(UserError, match=r"student\.safetensors: damaged"):
        LightField.load(path, manager)


def test_weights_of_another_shape_are_a_users_error(saved, manager):
    _, path = saved
    rewritten(path, {"backbone.layers.0.weight": torch.ones(8, 4, 1, 1)})
    with pytest.raises(UserError, match="weights do not fit") as error:
        LightField.load(path, manager)
    assert "backbone.layers.0.weight" in str(error.value)


@pytest.mark.parametrize("missing", ["cameras.poses", "backbone.layers.0.weight"])
def test_a_file_that_lacks_a_tensor_is_a_users_error(saved, manager, missing):
    _, path = saved
    tensors, metadata = read_safetensors(path)
    del tensors[missing]
    safetensors.torch.save_file(tensors, path, metadata)
    with pytest.raises(UserError) as error:
        LightField.load(path, manager)
    assert missing in str(error.value)


def test_a_student_whose_plugin_is_gone_names_what_it_needs(saved):
    _, path = saved
    with pytest.raises(PluginError, match="unknown encoding 'tiny-dist/directions': there is none"):
        LightField.load(path, PluginManager([]))


def test_a_part_that_no_plugin_offers_can_not_be_saved_and_the_message_says_what_to_do(tmp_path, manager):
    class Own(tiny.Mixing):
        pass

    student = tiny.student()
    student.backbone = Own(tiny.Mixing.Options(), 3)
    with pytest.raises(PluginError, match=r"no plugin offers .*Own as backbone; give it an entry point"):
        student.save(tmp_path / "s", manager)
    assert not (tmp_path / "s").exists()
