"""What can't be posed is answered with one line that says why, and what would help."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
import textured_room
from PIL import Image

from conftest import SMALL
from nfcore import UserError
from nfcore.ui import Console
from nfcore_pose.estimation import posed_capture


def refusal(path) -> str:
    with Console(quiet=True) as console, pytest.raises(UserError) as refused:
        posed_capture(path, SMALL, console)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def noise(file, size=(64, 48)) -> None:
    pixels = np.random.default_rng(len(file.name)).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(file)


def test_nothing_is_refused(tmp_path):
    assert str(tmp_path / "none") in refusal(tmp_path / "none")
    assert "neither photos nor a video" in refusal(tmp_path)


def test_one_photo_is_refused(tmp_path):
    noise(tmp_path / "alone.png")
    assert "at least 3" in refusal(tmp_path)
    assert "at least 3" in refusal(tmp_path / "alone.png")


def test_files_of_a_terabyte_and_names_that_are_no_text_are_refused_before_they_are_read(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        noise(tmp_path / name)
    os.truncate(tmp_path / "b.png", 1 << 40)
    assert str(tmp_path / "b.png") in refusal(tmp_path)
    (tmp_path / "b.png").rename(tmp_path / "b.mp4")
    assert str(tmp_path / "b.mp4") in refusal(tmp_path / "b.mp4")
    (tmp_path / "b.mp4").unlink()
    noise(tmp_path / "b.png")
    (tmp_path / "b.png").rename(tmp_path / os.fsdecode(b"b\xff.png"))
    assert "UTF-8" in refusal(tmp_path)


def test_a_damaged_photo_is_named(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        noise(tmp_path / name)
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:500])
    assert str(tmp_path / "b.png") in refusal(tmp_path)


def test_a_heic_photo_that_cannot_be_read_is_named(tmp_path):
    for name in ("a.heic", "b.heic", "c.heic"):
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    assert str(tmp_path / "a.heic") in refusal(tmp_path)


def test_a_panorama_is_named(tmp_path):
    columns = np.linspace(0, 2 * np.pi, 512, endpoint=False)
    rows = np.linspace(0, 9, 256)[:, None]
    closed = 127 + 60 * np.sin(7 * columns + rows) + 60 * np.cos(3 * columns - rows)
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(closed.round().astype(np.uint8)).save(tmp_path / name)
    assert "panorama" in refusal(tmp_path)
    assert str(tmp_path / "a.png") in refusal(tmp_path)


def test_a_mask_of_another_shape_is_named(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        noise(tmp_path / name)
    (tmp_path / "masks").mkdir()
    noise(tmp_path / "masks" / "b.png", (64, 20))
    assert str(tmp_path / "masks" / "b.png") in refusal(tmp_path)


def test_without_pycolmap_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    for name in ("a.png", "b.png", "c.png"):
        noise(tmp_path / name)
    assert "pip install pycolmap" in refusal(tmp_path)


def test_a_broken_video_is_named(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"no film" * 100)
    assert str(tmp_path / "film.mp4") in refusal(tmp_path / "film.mp4")


def test_two_videos_in_a_folder_need_a_choice(tmp_path):
    for name in ("one.mp4", "two.mp4"):
        (tmp_path / name).write_bytes(b"")
    assert str(tmp_path / "one.mp4") in refusal(tmp_path)


@pytest.mark.slow
def test_photos_of_nothing_in_common_are_refused(tmp_path):
    for index in range(3):
        textured_room.save_photos(tmp_path, textured_room.walk(1), seed=index, names=[f"{index}.png"])
    assert "nothing in common" in refusal(tmp_path)


@pytest.mark.slow
def test_a_camera_that_only_turned_is_told_to_walk(tmp_path):
    textured_room.save_photos(tmp_path, textured_room.walk(4, turn_only=True))
    assert "only turned" in refusal(tmp_path)


@pytest.mark.slow
def test_smooth_photos_are_told_to_have_too_few_features(tmp_path):
    for index in range(3):
        ramp = np.linspace(0, 80 + index, 240 * 180).reshape(180, 240).astype(np.uint8)
        Image.fromarray(ramp).save(tmp_path / f"{index}.png")
    assert "too few features" in refusal(tmp_path)
