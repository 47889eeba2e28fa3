from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nfcore import UserError
from nfcore.dataset import load_photos, photo_header, read_photo, scaled_size, stacked
from nfcore.scene import PhotoStack

WHITE = (1.0, 1.0, 1.0)


def save(path: Path, array: object, mode: str | None = None) -> Path:
    image = Image.fromarray(np.asarray(array, np.uint8))
    (image if mode is None else image.convert(mode)).save(path)
    return path


def test_the_longer_side_becomes_image_size_and_the_other_is_rounded():
    assert scaled_size(800, 800, 100) == (100, 100)
    assert scaled_size(756, 1008, 100) == (75, 100)
    assert scaled_size(1280, 720, 100) == (100, 56)  # 56.25
    assert scaled_size(600, 800, None) == (600, 800)
    assert scaled_size(2, 1000, 10) == (1, 10)


def test_a_photo_of_40_megapixels_is_read_at_a_small_size(tmp_path):
    photo = Image.new("RGB", (8000, 5000), (200, 40, 90))
    photo.paste((20, 220, 90), (0, 0, 4000, 5000))
    photo.save(tmp_path / "large.jpg")
    small = read_photo(tmp_path / "large.jpg", (5000, 8000), (50, 80)).astype(int)
    assert small.shape == (50, 80, 3)
    assert np.abs(small[:, :38] - (20, 220, 90)).max() <= 3
    assert np.abs(small[:, 42:] - (200, 40, 90)).max() <= 3


def test_asking_for_more_pixels_than_the_photos_have_says_the_largest():
    with pytest.raises(UserError, match=r"image_size 801 .* 800x600 .* choose 1 to 800"):
        scaled_size(600, 800, 801)
    with pytest.raises(UserError, match="choose 1 to 800"):
        scaled_size(600, 800, 0)


def test_downscaling_averages_areas_and_transparent_pixels_lend_no_colour(tmp_path):
    red, clear_green = [255, 0, 0, 255], [0, 255, 0, 0]
    path = save(tmp_path / "a.png", [[red, clear_green], [red, clear_green]])
    images, alpha = load_photos([path], (2, 2), (1, 1), (0.0, 0.0, 1.0))
    assert images[0, 0, 0].numpy() == pytest.approx([0.5, 0, 0.5], abs=2 / 255)
    assert alpha[0, 0, 0].item() == pytest.approx(0.5, abs=1 / 255)


def test_a_photo_that_is_not_scaled_is_composited_exactly(tmp_path):
    path = save(tmp_path / "a.png", [[[10, 20, 30, 51]]])
    images, alpha = load_photos([path], (1, 1), (1, 1), WHITE)
    expected = np.array([10, 20, 30]) / 255 * 0.2 + 0.8
    assert images[0, 0, 0].numpy() == pytest.approx(expected, abs=1e-6)
    assert alpha.item() == pytest.approx(0.2)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_photos_without_alpha_are_read_as_rgb(tmp_path, mode):
    path = save(tmp_path / "a.png", [[[90, 90, 90]] * 3] * 2, mode)
    images, alpha = load_photos([path], (2, 3), (2, 3), WHITE)
    assert alpha is None
    assert images.dtype == torch.float32
    assert torch.allclose(images, torch.full((1, 2, 3, 3), 90 / 255))


def test_among_photos_with_alpha_one_without_is_opaque(tmp_path):
    clear = save(tmp_path / "a.png", [[[0, 0, 0, 0]]])
    opaque = save(tmp_path / "b.png", [[[0, 0, 0]]])
    images, alpha = load_photos([clear, opaque], (1, 1), (1, 1), WHITE)
    assert alpha.flatten().tolist() == [0, 1]
    assert images[:, 0, 0, 0].tolist() == [1, 0]


def test_no_photos_give_an_empty_batch():
    images, alpha = load_photos([], (4, 4), (2, 2), WHITE)
    assert images.shape == (0, 2, 2, 3)
    assert alpha is None


def test_photos_come_in_the_order_of_their_paths(tmp_path):
    paths = [save(tmp_path / f"{i}.png", [[[i, i, i]]]) for i in range(40)]
    images, _ = load_photos(paths, (1, 1), (1, 1), WHITE)
    assert (images[:, 0, 0, 0] * 255).round().tolist() == list(range(40))


def one_line(error: pytest.ExceptionInfo[UserError], *parts: str) -> None:
    text = str(error.value)
    assert "\n" not in text
    assert all(part in text for part in parts), text


def test_a_missing_photo_is_named(tmp_path):
    with pytest.raises(UserError) as error:
        photo_header(tmp_path / "gone.png")
    one_line(error, "gone.png", "missing")


def test_a_folder_in_a_photos_place_is_named(tmp_path):
    with pytest.raises(UserError) as error:
        photo_header(tmp_path)
    one_line(error, str(tmp_path))


def test_a_truncated_photo_is_named(tmp_path):
    path = tmp_path / "cut.png"
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3))
    save(path, noise)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError) as error:
        load_photos([path], (40, 40), (40, 40), WHITE)
    one_line(error, "cut.png", "no complete PNG")


def test_a_file_that_is_no_image_is_named(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("hello")
    with pytest.raises(UserError) as error:
        photo_header(path)
    one_line(error, "text.png", "no complete PNG")


def test_a_photo_of_another_size_is_named_with_both_sizes(tmp_path):
    paths = [save(tmp_path / "a.png", [[[0, 0, 0]] * 3] * 2), save(tmp_path / "b.png", [[[0, 0, 0]] * 4] * 2)]
    with pytest.raises(UserError) as error:
        load_photos(paths, (2, 3), (2, 3), WHITE)
    one_line(error, "b.png is 4x2", "not 3x2")


def test_sixteen_bit_photos_are_scaled_rather_than_clipped(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((2, 2), 40000, np.uint16)).save(path)
    images, alpha = load_photos([path], (2, 2), (2, 2), WHITE)
    assert alpha is None
    assert images.flatten().tolist() == pytest.approx([40000 / 65535] * 12, abs=0.51 / 255)


def read_or_refuse(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        path.write_bytes(data)
        try:
            read_photo(path, photo_header(path).size, (1, 1))
        except UserError as error:
            assert "\n" not in str(error)


@settings(deadline=None, max_examples=60)
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF0000WEBPVP8 "])
)
def test_arbitrary_bytes_are_read_or_refused_as_a_users_mistake(data, magic):
    read_or_refuse(magic + data)


@pytest.fixture(scope="module", params=["PNG", "JPEG", "WEBP", "TIFF"])
def encoded(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("encoded") / "photo"
    Image.effect_mandelbrot((16, 12), (-2, -1, 1, 1), 20).convert("RGB").save(path, request.param)
    return path.read_bytes()


@settings(deadline=None, max_examples=80)
@given(edits=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4), cut=st.integers(0, 800))
def test_a_damaged_photo_is_read_or_refused_as_a_users_mistake(encoded, edits, cut):
    data = bytearray(encoded)
    for place, value in edits:
        data[place % len(data)] = value
    read_or_refuse(bytes(data[:cut]))


def test_photos_that_are_large_together_are_read_when_they_are_asked_for(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for path, channels in zip(paths, (4, 3, 4), strict=True):
        Image.fromarray(generator.integers(0, 256, (8, 12, channels), np.uint8)).save(path)
    now, alpha = load_photos(paths, (8, 12), (4, 6), (0.2, 0.4, 0.6))
    monkeypatch.setattr("nfcore.dataset.photos._READ_AT_ONCE", 100)
    later, later_alpha = load_photos(paths, (8, 12), (4, 6), (0.2, 0.4, 0.6))
    assert isinstance(later, PhotoStack)
    torch.testing.assert_close(later[:], now, atol=1e-7, rtol=0)
    assert torch.equal(later_alpha[:], alpha)
    again, _ = stacked(lambda i: later.decoded(i).numpy(), (3, 4, 6, 4), (0.2, 0.4, 0.6))
    assert isinstance(again, PhotoStack) and torch.equal(again[:], later[:])

    paths[1].write_bytes(paths[1].read_bytes()[:60])
    damaged, _ = load_photos(paths, (8, 12), (4, 6), (0.2, 0.4, 0.6))
    assert torch.equal(damaged[0], later[0])
    with pytest.raises(UserError, match=r"1\.png"):
        damaged[1]


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size(tmp_path):
    """Averages of 8x8 pixels by the decoder agree with those of the decoded photo."""
    path = tmp_path / "large.jpg"
    smooth = np.linspace(0, 255, 640)[None, :, None] * np.ones((480, 1, 3))
    Image.fromarray(smooth.astype(np.uint8)).save(path, quality=95)
    small = read_photo(path, (480, 640), (30, 40))
    assert small.shape == (30, 40, 3)
    expected = smooth.reshape(30, 16, 40, 16, 3).mean((1, 3))
    assert np.abs(small - expected).max() < 3


def test_a_header_says_which_side_is_up_and_the_exposure(tmp_path):
    """Exposure is seconds times ISO speed over 100: 1/50 s at ISO 200 is .04."""
    exif = Image.Exif()
    exif[0x0112] = 6  # the left side of the stored photo is up
    exif.get_ifd(0x8769).update({0x829A: 1 / 50, 0x8827: 200})
    Image.new("RGB", (4, 2)).save(tmp_path / "a.jpg", exif=exif)
    header = photo_header(tmp_path / "a.jpg")
    assert (header.sizes, header.up, header.alpha) == (((2, 4), (4, 2)), "left", False)
    assert header.exposure == pytest.approx(0.04)


def png_with_exif(path: Path, exif: Image.Exif, *, after_pixels: bool) -> Path:
    """Write a PNG whose EXIF data comes before its pixels, as Pillow writes it, or after them, as others do."""
    Image.new("RGB", (4, 2)).save(path, exif=exif)
    data = path.read_bytes()
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    if after_pixels:
        last = data.index(b"IEND") - 4
        path.write_bytes(data[:start] + data[end:last] + data[start:end] + data[last:])
    return path


@pytest.mark.parametrize("after_pixels", [False, True])
def test_a_png_may_have_its_exif_data_before_or_after_its_pixels(tmp_path, after_pixels):
    exif = Image.Exif()
    exif[0x0112] = 6
    header = photo_header(png_with_exif(tmp_path / "a.png", exif, after_pixels=after_pixels))
    assert (header.turned, header.up) == (True, "left")


def test_the_header_of_a_png_without_exif_is_read_without_its_pixels(tmp_path, monkeypatch):
    Image.new("RGBA", (400, 200)).save(tmp_path / "a.png")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", None)
    header = photo_header(tmp_path / "a.png")
    assert (header.size, header.up, header.exposure, header.alpha) == ((200, 400), None, None, True)


def test_heic_needs_a_decoder_and_the_message_says_which(tmp_path, monkeypatch):
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    monkeypatch.setattr("nfcore.dataset.photo_formats._heif_decoder", lambda: False)
    with pytest.raises(UserError) as error:
        photo_header(path)
    one_line(error, "IMG_0001.HEIC", "pip install", "heic", "JPEG")


def test_heic_photos_are_read(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif", reason="the extra heic is not installed")
    pillow_heif.register_heif_opener(thumbnails=False)
    Image.new("RGB", (64, 48), (200, 40, 10)).save(tmp_path / "a.heic", quality=95)
    pixels = read_photo(tmp_path / "a.heic", (48, 64), (3, 4))
    assert np.abs(pixels.astype(int) - [200, 40, 10]).max() < 8
