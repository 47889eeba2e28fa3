"""Photos that are not where the poses' file says: moved, in a folder of another name, or only scaled copies."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image

from nfcore_scenes.colmap import Colmap
from nfcore_scenes.llff import Llff
from nfcore_scenes.photo_finder import PhotoFinder
from nfcore_scenes.transforms import TransformsJson

READERS = {"transforms": TransformsJson, "text": Colmap}


def opened(layout, folder):
    reader = READERS[layout]
    return reader(reader.Options(path=folder))


def count(source):
    return sum(len(source.views(split)) for split in ("train", "val", "test"))


@pytest.mark.parametrize("layout", READERS)
@pytest.mark.parametrize("place", ["Photos", "images/day 1", "a/b/images"])
def test_photos_are_found_in_the_one_folder_that_has_them(mine, layout, place):
    folder = mine(layout)
    (folder / "images").rename(folder / "moved")
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / "moved").rename(folder / place)
    source = opened(layout, folder)
    assert count(source) == 6
    assert any(place in note for note in source.notes)


@pytest.mark.parametrize("layout", READERS)
def test_scaled_copies_alone_are_read_with_a_scaled_lens(mine, layout):
    whole = opened(layout, folder := mine(layout)).views("train").cameras
    for scale in (2, 4):
        (folder / f"images_{scale}").mkdir()
        for file in (folder / "images").iterdir():
            Image.open(file).reduce(scale).save(folder / f"images_{scale}" / file.name)
    shutil.rmtree(folder / "images")
    copies = opened(layout, folder).views("train").cameras
    assert copies.width == whole.width // 2
    assert copies.intrinsics == pytest.approx(whole.intrinsics / 2, rel=1e-3)


def test_photos_of_the_same_names_in_two_folders_are_not_guessed(tmp_path):
    for folder in ("left", "right"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0.png").write_text("")
    assert PhotoFinder(tmp_path).where_most_are(["images/0.png"]).moved == {}
    assert PhotoFinder(tmp_path).where_most_are(["a/0.png", "b/0.png"]).moved == {}


def test_a_models_own_folder_may_be_chosen(mine):
    folder = mine("text")
    assert count(opened("text", folder / "sparse" / "0")) == 6
    (folder / "sparse" / "0").rename(folder / "sfm")
    assert count(opened("text", folder / "sfm")) == 6


@pytest.mark.parametrize("below", ["", "camera"])
def test_what_programs_hide_is_no_photo(mine, below):
    folder = mine("llff")
    photos = folder / "images" / below
    photos.mkdir(exist_ok=True)
    for file in (folder / "images").glob("*.png"):
        file.rename(photos / file.name)
    shutil.copy(photos / "0000.png", photos / ".trashed-0000.png")
    for hidden in (".thumbnails", "@eaDir"):
        (folder / "images" / hidden).mkdir()
        shutil.copy(photos / "0000.png", folder / "images" / hidden / "0000.png")
    assert count(Llff(Llff.Options(path=folder))) == 6


def test_llffs_photos_may_be_next_to_their_poses(mine):
    folder = mine("llff")
    for file in (folder / "images").iterdir():
        file.rename(folder / file.name)
    (folder / "images").rmdir()
    assert count(Llff(Llff.Options(path=folder))) == 6
