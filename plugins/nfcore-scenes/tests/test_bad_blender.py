"""Blender data sets with mistakes: refused in one or two lines that name the file."""

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


def refused(folder: Path, *parts: str, **options: object) -> None:
    with pytest.raises(UserError) as error:
        source = open_blender(folder, **options)
        for split in ("train", "val", "test"):
            source.views(split)
        assert source.scene
    text = str(error.value)
    assert text.count("\n") <= 1
    assert all(part in text for part in parts), text


def test_a_missing_folder_is_named(tmp_path):
    refused(tmp_path / "nowhere", "nowhere")


def test_a_missing_file_of_training_photos_is_named(dataset):
    (dataset.folder / "transforms_train.json").unlink()
    refused(dataset.folder, "transforms_train.json is missing")


def test_a_folder_in_a_transforms_files_place_is_named(dataset):
    (dataset.folder / "transforms_test.json").unlink()
    (dataset.folder / "transforms_test.json").mkdir()
    refused(dataset.folder, "transforms_test.json", "is a folder")


@pytest.mark.parametrize("text", ["", "{", "\x00", "[1, 2"])
def test_an_empty_or_broken_transforms_file_is_no_valid_json(dataset, text):
    (dataset.folder / "transforms_train.json").write_text(text)
    refused(dataset.folder, "transforms_train.json is not valid JSON")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"frames": []}, ["frames", "empty"]),
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
    refused(dataset.folder, "transforms_train.json", key, "is missing")


def test_a_single_training_photo_is_too_few(dataset):
    dataset.write("train", dataset.transforms("train", 1))
    refused(dataset.folder, "transforms_train.json", "1 photos", "at least 2")


def test_a_missing_image_is_left_out_and_named(dataset):
    (dataset.folder / "train" / "r_2.png").unlink()
    source = open_blender(dataset.folder)
    assert source.views("train").names == ("train/r_0.png", "train/r_1.png")
    assert any("1 of 3" in note and "train/r_2" in note for note in source.notes)


def test_a_truncated_image_is_named(dataset):
    path = dataset.folder / "test" / "r_1.png"
    path.write_bytes(path.read_bytes()[:50])
    refused(dataset.folder, "test/r_1.png", "no complete PNG")


def scaled(pose):
    return [[2 * pose[0][0], *pose[0][1:]], *pose[1:]]


def mirrored(pose):
    return [[-x for x in pose[0]], *pose[1:]]


def too_far(pose):
    return [[*pose[0][:3], 1e300], *pose[1:]]


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (scaled, ["rigid"]),
        (mirrored, ["rigid"]),
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


@pytest.mark.parametrize("path", ["../secret.png", "train/../../secret.png", "/etc/passwd", "..\\secret.png"])
def test_a_path_that_leads_out_of_the_folder_is_refused(dataset, path):
    Image.new("RGB", (8, 6)).save(dataset.folder.parent / "secret.png")
    transforms = dataset.read("train")
    transforms["frames"][0]["file_path"] = path
    dataset.write("train", transforms)
    refused(dataset.folder, "outside of the data set's folder")


@pytest.mark.parametrize("path", ["r" * 5000, "a\0b", "C:\\elsewhere", "../gone"])
def test_a_name_that_no_file_can_have_is_a_missing_photo(dataset, path):
    transforms = dataset.read("train")
    transforms["frames"][0]["file_path"] = path
    dataset.write("train", transforms)
    source = open_blender(dataset.folder)
    assert len(source.views("train")) == 2 and any("missing" in note for note in source.notes)


def test_a_camera_that_was_scaled_evenly_has_the_pose_of_the_unscaled_one(dataset):
    before = open_blender(dataset.folder).views("train").cameras.poses
    transforms = dataset.read("train")
    for frame in transforms["frames"]:
        pose = frame["transform_matrix"]
        frame["transform_matrix"] = [[*(2 * x for x in row[:3]), row[3]] for row in pose[:3]] + pose[3:]
    dataset.write("train", transforms)
    torch.testing.assert_close(open_blender(dataset.folder).views("train").cameras.poses, before)


def test_near_beyond_far_is_refused(dataset):
    refused(dataset.folder, "near", near=7, far=6)


def test_more_pixels_than_the_photos_have_are_refused(dataset):
    with pytest.raises(UserError, match="choose 1 to 8"):
        open_blender(dataset.folder, 9).views("train")


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
