"""Choices that need no COLMAP run: pairs, cameras, copies, advice."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ExifTags, Image

from nfcore import UserError
from nfcore_pose.cameras import shared_cameras
from nfcore_pose.copies import copy_size, data_set_name, write_copies, write_photo
from nfcore_pose.diagnosis import Matches, advice
from nfcore_pose.pairs import all_pairs, likely_pairs, neighbours
from nfcore_pose.photos import Photo, photo_facts, photos_in
from nfcore_pose.turning import TURN, turn_error


def save(file, size=(40, 30), **exif) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    tags = Image.Exif()
    for name, value in exif.items():
        tag = ExifTags.Base[name]
        inner = tag in (ExifTags.Base.FocalLength, ExifTags.Base.FocalLengthIn35mmFilm, ExifTags.Base.LensModel)
        (tags.get_ifd(ExifTags.IFD.Exif) if inner else tags)[tag] = value
    Image.new("RGB", size, (200, 100, 50)).save(file, exif=tags)


def test_neighbours_in_time_are_far_fewer_than_all_pairs():
    assert set(neighbours(100)) < set(all_pairs(100))
    assert len(neighbours(100)) < len(all_pairs(100)) / 3
    assert sorted(all_pairs(40)) == [(a, b) for a in range(40) for b in range(a + 1, 40)]


def test_photos_whose_large_features_look_alike_are_likely_pairs():
    generator = np.random.default_rng(0)
    places = generator.normal(size=(2, 30, 128))
    seen = [places[place] + 0.02 * generator.normal(size=(30, 128)) for place in (0, 1, 0, 1)]
    unit = [(each / np.linalg.norm(each, axis=1, keepdims=True)).astype(np.float32) for each in seen]
    assert likely_pairs(unit, is_video=False) == [(0, 2), (1, 3)]
    assert likely_pairs([*unit, np.zeros((0, 128), np.float32)], is_video=True) == [(0, 2), (1, 3)]


def test_photos_with_the_same_lens_setting_share_a_camera(tmp_path):
    save(tmp_path / "a.jpg", Model="Phone", FocalLengthIn35mmFilm=26)
    save(tmp_path / "b.jpg", Model="Phone", FocalLengthIn35mmFilm=52)
    save(tmp_path / "c.jpg", Model="Phone", FocalLengthIn35mmFilm=26)
    save(tmp_path / "d.jpg", (30, 40))
    facts = [photo_facts(photo.file) for photo in photos_in(tmp_path)]
    cameras, owner = shared_cameras(facts, "auto", "SIMPLE_RADIAL")
    assert owner == [0, 1, 0, 2]
    assert [camera.known for camera in cameras] == [True, True, False]
    assert cameras[0].focal == pytest.approx(26 / 43.27 * 50, rel=1e-3)  # the diagonal of 40 x 30 is 50
    assert cameras[2].focal == 1.2 * 40
    assert shared_cameras(facts[:3], "one", "OPENCV")[1] == [0, 0, 0]
    assert shared_cameras(facts, "each", "OPENCV")[1] == [0, 1, 2, 3]
    with pytest.raises(UserError, match="40x30"):
        shared_cameras(facts, "one", "OPENCV")


def test_a_turned_photo_is_written_upright(tmp_path):
    save(tmp_path / "a.jpg", (40, 30), Orientation=6)
    facts = photo_facts(tmp_path / "a.jpg")
    photo = Photo("a.jpg", tmp_path / "a.jpg")
    assert (facts.width, facts.height) == (30, 40)
    name = data_set_name(photo, facts)
    write_photo(photo, facts, tmp_path / "out" / name)
    with Image.open(tmp_path / "out" / name) as written:
        assert written.size == (30, 40)
        assert written.getexif().get(ExifTags.Base.Orientation, 1) == 1


def test_copies_keep_the_photos_shape_and_masks(tmp_path):
    size = copy_size(1280, 720, 1000)
    assert size == (992, 558)
    assert size[0] / size[1] == pytest.approx(1280 / 720, abs=1e-9)
    save(tmp_path / "images" / "a.jpg", (80, 60))
    hidden = Image.new("L", (80, 60), 255)
    hidden.paste(0, (0, 0, 40, 60))
    (tmp_path / "masks").mkdir()
    hidden.save(tmp_path / "masks" / "a.jpg.png")
    glass = Image.new("RGBA", (80, 60), (9, 9, 9, 255))
    glass.paste((0, 0, 0, 0), (0, 30, 80, 60))
    glass.save(tmp_path / "images" / "b.png")
    save(tmp_path / "images" / "c.jpg", (80, 60))
    photos = photos_in(tmp_path)
    assert write_copies(photos, [(30, 40)] * 3, tmp_path / "work", 2, lambda _: None) == [0, 1]
    masks = [np.asarray(Image.open(file)) for file in sorted((tmp_path / "work" / "masks").iterdir())]
    assert (masks[0][:, :20] == 0).all() and (masks[0][:, 20:] == 255).all()
    assert (masks[1][:15] == 255).all() and (masks[1][15:] == 0).all()


def test_scaled_copies_masks_and_hidden_files_are_no_photos(tmp_path):
    for name in ("images/a.jpg", "images/@eaDir/a.jpg", "images_2/a.jpg", "masks/a.png", ".trash/x.jpg", "b.jpg"):
        save(tmp_path / name)
    assert [photo.name for photo in photos_in(tmp_path)] == ["a.jpg"]


def test_a_turn_is_told_from_steps_along_a_wall():
    camera = np.array([[700, 0, 320], [0, 700, 240], [0, 0, 1]])
    turns = [about("y", 0.2), about("z", 0.3) @ about("x", 0.1), about("x", -0.15) @ about("y", 0.1)]
    steps = [np.outer(step, [0, 0, 1]) for step in ([0.2, 0, 0], [0, 0.2, 0], [0.1, 0.1, 0.1])]  # of the distance
    turned = [3 * camera @ turn @ np.linalg.inv(camera) for turn in turns]
    walked = [camera @ (turn + step) @ np.linalg.inv(camera) for turn, step in zip(turns, steps, strict=True)]
    assert turn_error(np.stack(turned), [(480, 640)] * 3) < TURN / 3
    assert turn_error(np.stack(walked), [(480, 640)] * 3) > 3 * TURN


def about(axis: str, angle: float) -> np.ndarray:
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    turn = np.eye(3)
    turn[[first, second], [first, second]] = np.cos(angle)
    turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
    return turn


def test_two_groups_are_told_apart():
    links = ((0, 1), (1, 2), (3, 4))
    (sentence,) = advice(Matches((500,) * 5, links, ()), "abcde", [0, 1, 2])
    assert "3 with 'a', 2 with 'd'" in sentence
