"""Blender's data sets (transforms_train.json): what is read, splits, novel cameras."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from PIL import Image

from nfcore import UserError
from nfcore_scenes.blender import Blender


def open_blender(folder: Path, image_size: int | None = None, **options: object) -> Blender:
    return Blender(Blender.Options(path=folder, **options), image_size)


def test_views_have_the_files_poses_names_and_pixels(dataset):
    views = open_blender(dataset.folder).views("train")
    assert views.names == ("train/r_0.png", "train/r_1.png", "train/r_2.png")
    assert views.images.shape == (3, 6, 8, 3)
    assert views.alpha.shape == (3, 6, 8)
    assert views.images[1, 0, 0].tolist() == pytest.approx([200 / 255, 40 / 255, 0])
    pose = dataset.read("train")["frames"][2]["transform_matrix"]
    assert torch.equal(views.cameras.poses[2], torch.tensor(pose)[:3])


def test_the_focal_length_follows_the_scaled_width(dataset):
    focal = 4 / math.tan(0.35)
    full = open_blender(dataset.folder).views("train").cameras
    assert full.intrinsics[0].tolist() == pytest.approx([focal, focal, 4, 3])
    half = open_blender(dataset.folder, 4).views("train").cameras
    assert (half.height, half.width) == (3, 4)
    assert half.intrinsics[0].tolist() == pytest.approx([focal / 2, focal / 2, 2, 1.5])


def test_a_side_that_was_rounded_scales_its_own_focal_length(dataset):
    cameras = open_blender(dataset.folder, 3).views("train").cameras  # 6 * 3/8 = 2.25 rows become 2
    assert (cameras.height, cameras.width) == (2, 3)
    fx, fy, cx, cy = cameras.intrinsics[0].tolist()
    assert fx * 8 / 3 == pytest.approx(fy * 6 / 2)
    assert (cx, cy) == (1.5, 1)


def test_a_split_is_read_once(dataset):
    source = open_blender(dataset.folder)
    assert source.views("test") is source.views("test")


def test_the_name_is_the_folders(dataset, monkeypatch):
    monkeypatch.chdir(dataset.folder)
    assert open_blender(Path()).name == "toy"


def test_the_scene_comes_from_the_options(dataset):
    scene = open_blender(dataset.folder, near=1, far=3, background=(0, 0, 0)).scene
    assert (scene.near, scene.far, scene.background) == (1, 3, (0, 0, 0))
    assert not scene.forward_facing


def test_images_with_alpha_are_composited_on_the_background(dataset):
    Image.new("RGBA", (8, 6), (0, 0, 0, 0)).save(dataset.folder / "train" / "r_0.png")
    views = open_blender(dataset.folder, background=(0.25, 0.5, 1.0)).views("train")
    assert views.images[0, 3, 3].tolist() == pytest.approx([0.25, 0.5, 1.0])


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_other_endings_are_found_where_the_file_leaves_them_out(dataset, suffix):
    for path in (dataset.folder / "test").iterdir():
        Image.open(path).convert("RGB").save(path.with_suffix(suffix))
        path.unlink()
    views = open_blender(dataset.folder).views("test")
    assert views.names[0] == f"test/r_0{suffix}"
    assert views.alpha is None


def test_a_full_file_name_and_a_3x4_pose_are_read_too(dataset):
    transforms = dataset.read("test")
    for frame in transforms["frames"]:
        frame["file_path"] = frame["file_path"][2:] + ".png"
        del frame["transform_matrix"][3]
    dataset.write("test", transforms)
    assert len(open_blender(dataset.folder).views("test")) == 2


def test_without_a_val_file_val_is_empty_and_training_keeps_all(dataset):
    source = open_blender(dataset.folder, 4)
    assert len(source.views("val")) == 0
    assert source.views("val").images.shape == (0, 3, 4, 3)
    assert len(source.views("train")) == 3


def test_held_out_photos_become_val_and_leave_training(dataset):
    source = open_blender(dataset.folder, hold_out=3)
    assert source.views("val").names == ("train/r_0.png",)
    assert source.views("train").names == ("train/r_1.png", "train/r_2.png")


def test_a_val_file_is_used_and_hold_out_is_not(dataset):
    (dataset.folder / "val").mkdir()
    Image.new("RGB", (8, 6)).save(dataset.folder / "val" / "r_0.png")
    dataset.write("val", dataset.transforms("val", 1))
    source = open_blender(dataset.folder, hold_out=3)
    assert source.views("val").names == ("val/r_0.png",)
    assert len(source.views("train")) == 3


def test_holding_out_too_many_is_refused(dataset):
    with pytest.raises(UserError, match="leaves 0 photos to train on: at least 2"):
        open_blender(dataset.folder, hold_out=1)


def test_a_photo_in_two_splits_is_never_trained_on(dataset):
    transforms = dataset.read("test")
    transforms["frames"][1]["file_path"] = "train/../train/r_2"
    dataset.write("test", transforms)
    source = open_blender(dataset.folder)
    assert source.views("train").names == ("train/r_0.png", "train/r_1.png")
    assert "train/r_2.png" in source.views("test").names
    assert any("train/r_2.png" in note for note in source.notes)


def test_sampled_cameras_have_the_photos_size_and_focus_and_stay_in_the_training_region(dataset):
    for photo in dataset.folder.rglob("*.png"):  # an object, which cameras go round
        cut_out = Image.new("RGBA", (8, 6))
        cut_out.paste((200, 0, 0, 255), (2, 2, 6, 4))
        cut_out.save(photo)
    source = open_blender(dataset.folder, 4)
    cameras = source.sample_cameras(50, torch.Generator().manual_seed(0))
    train = source.views("train").cameras
    assert (cameras.height, cameras.width) == (train.height, train.width)
    assert torch.equal(cameras.intrinsics, train.intrinsics[:1].expand(50, -1))
    assert torch.allclose(cameras.poses[:, :, 3].norm(dim=1), torch.tensor(4.0), atol=1e-4)
    assert cameras.poses[:, 1, 3].abs().max() < 1e-4  # the toy's cameras all stand at height 0


def test_the_same_generator_state_gives_the_same_cameras(dataset):
    source = open_blender(dataset.folder)
    first, second = (source.sample_cameras(5, torch.Generator().manual_seed(3)).poses for _ in range(2))
    assert torch.equal(first, second)


def test_test_photos_are_not_decoded_for_novel_cameras(dataset):
    photo = dataset.folder / "test" / "r_0.png"
    photo.write_bytes(photo.read_bytes()[:60])
    assert len(open_blender(dataset.folder).sample_cameras(2, torch.Generator())) == 2
