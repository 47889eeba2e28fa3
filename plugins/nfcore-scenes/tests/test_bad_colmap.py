"""COLMAP models that are damaged or unusual: refused in one or two lines that name the file."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcore import NfcoreError
from nfcore_scenes.colmap import Colmap
from nfcore_scenes.colmap_files import read_model


def open_colmap(folder, **options):
    return Colmap(Colmap.Options(path=folder, **options))


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin", "points3D.bin"])
@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=25, deadline=None)
def test_a_truncated_binary_is_refused_wherever_it_ends(sound, name, share, refusal):
    with tempfile.TemporaryDirectory() as folder:
        model = Path(shutil.copytree(sound / "colmap" / "sparse" / "0", Path(folder) / "0"))
        data = (model / name).read_bytes()
        (model / name).write_bytes(data[: int(share * len(data))])
        refusal(lambda: read_model(model), name)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["colmap", "text"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_model_with_changed_bytes_is_read_or_refused(sound, layout, data):
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(shutil.copytree(sound / layout, Path(folder) / "capture"))
        file = data.draw(st.sampled_from(sorted((capture / "sparse" / "0").iterdir())))
        content = bytearray(file.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        file.write_bytes(content)
        try:
            views = open_colmap(capture).views("train")
        except NfcoreError as error:
            assert len(str(error).splitlines()) <= 2
            return
        assert views.cameras.poses.isfinite().all()
        assert views.images.isfinite().all()


def test_an_unknown_camera_model_is_refused(mine, refusal):
    folder = mine("colmap")
    file = folder / "sparse" / "0" / "cameras.bin"
    data = bytearray(file.read_bytes())
    data[12:16] = (77).to_bytes(4, "little")
    file.write_bytes(data)
    refusal(lambda: open_colmap(folder), "cameras.bin", "77")


def test_a_name_in_the_encoding_of_windows_is_found(mine):
    folder = mine("colmap")
    file = folder / "sparse" / "0" / "images.bin"
    file.write_bytes(file.read_bytes().replace(b"0001.png", b"\xe9t\xe9_.png"))
    (folder / "images" / "0001.png").rename(folder / "images" / "été_.png")
    assert "été_.png" in open_colmap(folder).views("train").names


@pytest.mark.parametrize("changes", [{79: 76}, {79: 76, 78: 54}], ids=["far away", "no number"])
def test_a_lens_that_puts_pixels_nowhere_is_refused(mine, changes, refusal):
    folder = mine("colmap")
    file = folder / "sparse" / "0" / "cameras.bin"
    data = bytearray(file.read_bytes())
    for place, byte in changes.items():
        data[place] = byte
    file.write_bytes(data)
    refusal(lambda: open_colmap(folder).views("train"), "distortion", "can't be undone")


def test_a_panorama_is_refused(mine, refusal):
    folder = mine("text")
    file = folder / "sparse" / "0" / "cameras.txt"
    file.write_text("1 EQUIRECTANGULAR 32 32 32 32\n")
    refusal(lambda: open_colmap(folder), "EQUIRECTANGULAR")


def test_half_a_model_is_refused(mine, refusal):
    folder = mine("colmap")
    (folder / "sparse" / "0" / "images.bin").unlink()
    refusal(lambda: open_colmap(folder), "images.bin")


def test_a_photo_name_that_leads_out_of_the_folder_is_refused(mine, refusal, tmp_path):
    folder = mine("text")
    file = folder / "sparse" / "0" / "images.txt"
    file.write_text(file.read_text().replace("0003.png", "../../secret.png"))
    (tmp_path / "secret.png").write_bytes((folder / "images" / "0003.png").read_bytes())
    refusal(lambda: open_colmap(folder), "../../secret.png", "outside")


def test_a_single_view_is_refused(mine, refusal):
    folder = mine("text")
    file = folder / "sparse" / "0" / "images.txt"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    file.write_text(f"{lines[0]}\n\n")
    (folder / "sparse" / "0" / "points3D.txt").write_text("")
    refusal(lambda: open_colmap(folder), "1 posed photos", "at least 3")
