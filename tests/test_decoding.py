"""Photos are decoded only where their pixels are worth it and there is memory for them."""

from __future__ import annotations

import threading

import psutil
import pytest
from PIL import Image

from nfcore import UserError
from nfcore.dataset import decoding, photo_header, read_photo
from nfcore.scene import PhotoStack, photo_stack


@pytest.fixture
def flat(tmp_path):
    """A photo of 26 million pixels of one colour, in 80 kB."""
    path = tmp_path / "flat.png"
    Image.new("RGB", (5200, 5000), (200, 100, 50)).save(path)
    return path


def test_a_photo_of_too_many_pixels_for_its_file_is_refused_by_its_header(flat):
    for read in (photo_header, lambda path: read_photo(path, (5000, 5200), (50, 52))):
        with pytest.raises(UserError, match=r"flat\.png declares 5200x5000"):
            read(flat)


def test_a_mask_may_be_of_one_value(tmp_path):
    Image.new("L", (5200, 5000), 255).save(tmp_path / "mask.png")
    assert photo_header(tmp_path / "mask.png").size == (5000, 5200)


def test_a_photo_with_a_side_longer_than_any_is_refused(tmp_path):
    Image.new("1", (1, 70_000)).save(tmp_path / "thin.png")
    with pytest.raises(UserError, match=r"thin\.png declares 1x70000"):
        photo_header(tmp_path / "thin.png")


def test_a_photo_of_more_pixels_than_are_decoded_names_the_number(tmp_path):
    Image.new("1", (20_000, 9_000)).save(tmp_path / "wide.png")
    with pytest.raises(UserError, match=r"wide\.png has more than 178 million pixels"):
        photo_header(tmp_path / "wide.png")


def test_a_photo_that_needs_more_memory_than_is_free_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 1000}))
    with pytest.raises(UserError, match=r"a\.png needs .* GB"):
        read_photo(tmp_path / "a.png", (30, 40), (3, 4))


def test_large_photos_are_decoded_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "_MOST_AT_ONCE", 100)
    most, started = [], threading.Barrier(3)

    def decode() -> None:
        started.wait(10)
        with decoding.decoding(tmp_path, 9, 10):
            most.append(decoding._at_once)

    threads = [threading.Thread(target=decode) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [90, 90, 90]


def test_photos_that_fit_on_no_disk_say_what_to_set(monkeypatch):
    monkeypatch.setattr(photo_stack, "_MOST_OF_DISK", 1e-9)
    photos = PhotoStack(lambda i: None, (100, 3000, 4000, 3))
    assert photos.shape == (100, 3000, 4000, 3), "nothing is allocated for what only needs a shape"
    with pytest.raises(UserError, match=r"100 photos of 4000x3000 .* image_size"):
        photos[0]
