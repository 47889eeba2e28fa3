from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nfcore import UserError
from nfcore_scenes.blender import Blender


def open_blender(folder: Path, image_size: int | None = None, **options: object) -> Blender:
    return Blender(Blender.Options(path=folder, **options), image_size)


# -- what is read ----------------------------------------------------------------------------------------


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


# -- splits ----------------------------------------------------------------------------------------------


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
    with pytest.raises(UserError, match="leaves 0 photos to train on with hold_out 1: at least 2"):
        open_blender(dataset.folder, hold_out=1)


def test_a_photo_in_two_splits_is_refused(dataset):
    transforms = dataset.read("test")
    transforms["frames"][1]["file_path"] = "train/../train/r_2"
    dataset.write("test", transforms)
    with pytest.raises(UserError, match="'train/r_2' is in train and in test"):
        open_blender(dataset.folder)


# -- novel cameras ---------------------------------------------------------------------------------------


def test_sampled_cameras_have_the_photos_size_and_focus_and_stay_in_the_training_region(dataset):
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


def test_sampling_cameras_opens_no_more_than_one_photo(dataset):
    for photo in ("train/r_1.png", "train/r_2.png", "test/r_0.png"):
        (dataset.folder / photo).unlink()
    assert len(open_blender(dataset.folder).sample_cameras(2, torch.Generator())) == 2


# -- mistakes --------------------------------------------------------------------------------------------


def refused(folder: Path, *parts: str, **options: object) -> None:
    with pytest.raises(UserError) as error:
        source = open_blender(folder, **options)
        for split in ("train", "val", "test"):
            source.views(split)
    text = str(error.value)
    assert text.count("\n") <= 1
    assert all(part in text for part in parts), text


def test_a_missing_folder_is_named(tmp_path):
    refused(tmp_path / "nowhere", "nowhere", "transforms_train.json")


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_missing_transforms_file_is_named(dataset, split):
    (dataset.folder / f"transforms_{split}.json").unlink()
    refused(dataset.folder, f"transforms_{split}.json is missing")


def test_a_folder_in_a_transforms_files_place_is_named(dataset):
    (dataset.folder / "transforms_test.json").unlink()
    (dataset.folder / "transforms_test.json").mkdir()
    refused(dataset.folder, "transforms_test.json can't be read")


@pytest.mark.parametrize("text", ["", "{", "\x00", "[1, 2"])
def test_an_empty_or_broken_transforms_file_is_no_valid_json(dataset, text):
    (dataset.folder / "transforms_train.json").write_text(text)
    refused(dataset.folder, "transforms_train.json is no valid JSON")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"frames": []}, ["frames", "at least 1 item"]),
        ({"frames": None}, ["frames", "valid array"]),
        ({"camera_angle_x": 0}, ["camera_angle_x", "greater than 0"]),
        ({"camera_angle_x": 3.15}, ["camera_angle_x", "less than 3.14"]),
        ({"camera_angle_x": math.nan}, ["camera_angle_x"]),
        ({"camera_angle_x": "wide"}, ["camera_angle_x", "number"]),
    ],
)
def test_wrong_values_in_a_transforms_file_are_named(dataset, change, parts):
    dataset.write("train", dataset.read("train") | change)
    refused(dataset.folder, "transforms_train.json", *parts)


@pytest.mark.parametrize("key", ["camera_angle_x", "frames"])
def test_a_missing_key_is_named(dataset, key):
    transforms = dataset.read("train")
    del transforms[key]
    dataset.write("train", transforms)
    refused(dataset.folder, "transforms_train.json", f"{key} is missing")


def test_a_single_training_photo_is_too_few(dataset):
    dataset.write("train", dataset.transforms("train", 1))
    refused(dataset.folder, "transforms_train.json", "1 photos", "at least 2")


def test_a_missing_image_is_named(dataset):
    (dataset.folder / "train" / "r_2.png").unlink()
    refused(dataset.folder, "r_2", "missing", ".png, .jpg")


def test_a_truncated_image_is_named(dataset):
    path = dataset.folder / "test" / "r_1.png"
    path.write_bytes(path.read_bytes()[:50])
    refused(dataset.folder, "test/r_1.png", "no complete PNG")


@pytest.mark.parametrize("photo", ["train/r_1.png", "test/r_0.png"])
def test_an_image_of_another_size_than_the_first_is_named(dataset, photo):
    Image.new("RGB", (8, 7)).save(dataset.folder / photo)
    refused(dataset.folder, f"{photo} is 8x7", "not 8x6")


def scaled(pose):
    return [[2 * x for x in row[:3]] + row[3:] for row in pose[:3]] + pose[3:]


def mirrored(pose):
    return [[-x for x in pose[0]], *pose[1:]]


def with_nan(pose):
    return [[math.nan, *pose[0][1:]], *pose[1:]]


def too_far(pose):
    return [[*pose[0][:3], 1e300], *pose[1:]]


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (scaled, ["no rigid transform"]),
        (mirrored, ["no rigid transform"]),
        (with_nan, ["transform_matrix", "finite number"]),
        (too_far, ["out of range"]),
        (lambda pose: pose[:2], ["4x4 or 3x4"]),
        (lambda pose: [row[:3] for row in pose], ["4x4 or 3x4"]),
        (lambda pose: [pose[0][:2], *pose[1:]], ["4x4 or 3x4"]),
        (lambda pose: [*pose[:3], [0, 0, 0, 2]], ["0, 0, 0, 1"]),
        (lambda pose: "identity", ["transform_matrix", "valid array"]),
    ],
)
def test_a_pose_that_is_no_rigid_transform_is_refused(dataset, spoil, parts):
    transforms = dataset.read("train")
    frame = transforms["frames"][1]
    frame["transform_matrix"] = spoil(frame["transform_matrix"])
    dataset.write("train", transforms)
    refused(dataset.folder, "transforms_train.json", *parts)


def test_a_pose_printed_with_few_digits_is_still_rigid(dataset):
    transforms = dataset.read("train")
    for frame in transforms["frames"]:
        frame["transform_matrix"] = [[round(x, 4) for x in row] for row in frame["transform_matrix"]]
    dataset.write("train", transforms)
    assert len(open_blender(dataset.folder).views("train")) == 3


@pytest.mark.parametrize(
    "path", ["../secret", "train/../../secret", "/etc/passwd", "..\\secret", "C:\\secret", "a\0b"]
)
def test_a_path_that_leads_out_of_the_folder_is_refused(dataset, path):
    Image.new("RGB", (8, 6)).save(dataset.folder.parent / "secret.png")
    transforms = dataset.read("train")
    transforms["frames"][0]["file_path"] = path
    dataset.write("train", transforms)
    refused(dataset.folder, "outside of the data set's folder")


def test_a_name_that_is_too_long_for_a_file_is_a_missing_photo(dataset):
    transforms = dataset.read("train")
    transforms["frames"][0]["file_path"] = "r" * 5000
    dataset.write("train", transforms)
    refused(dataset.folder, "missing")


def test_near_beyond_far_is_refused(dataset):
    refused(dataset.folder, "near", near=7)


def test_more_pixels_than_the_photos_have_are_refused(dataset):
    with pytest.raises(UserError, match="choose 1 to 8"):
        open_blender(dataset.folder, 9).views("train")


# -- anything at all -------------------------------------------------------------------------------------


def read_or_refuse(train: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.new("RGB", (2, 2)).save(folder / "a.png")
        (folder / "transforms_train.json").write_bytes(train)
        (folder / "transforms_test.json").write_bytes(train)
        try:
            source = open_blender(folder)
            source.views("train")
            source.sample_cameras(2, torch.Generator())
        except UserError as error:
            assert str(error).count("\n") <= 1


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_refused_as_a_users_mistake(data):
    read_or_refuse(data)


numbers = st.floats() | st.integers() | st.sampled_from([0.0, 1.0, 4.0])
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
rigid = st.just([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 4], [0, 0, 0, 1]])
matrices = st.lists(st.lists(numbers, min_size=4, max_size=4), min_size=3, max_size=4)
frames = st.fixed_dictionaries(
    {"file_path": st.sampled_from(["a", "a.png", "..", "."]) | st.text(max_size=5) | anything},
    optional={"transform_matrix": rigid | matrices | anything},
)
transforms = st.fixed_dictionaries(
    {"camera_angle_x": st.floats(0, 4) | anything, "frames": st.lists(frames, max_size=3) | anything}
)


@settings(deadline=None, max_examples=150)
@given(transforms)
def test_any_json_is_read_or_refused_as_a_users_mistake(value):
    read_or_refuse(json.dumps(value).encode())


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 400), st.binary(max_size=6))
def test_a_damaged_transforms_file_is_read_or_refused_as_a_users_mistake(place, damage):
    frame = {"file_path": "a", "transform_matrix": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 4], [0, 0, 0, 1]]}
    data = json.dumps({"camera_angle_x": 0.7, "frames": [frame, frame]}).encode()
    read_or_refuse(data[:place] + damage + data[place + len(damage) :])
