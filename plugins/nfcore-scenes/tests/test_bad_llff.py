"""LLFF captures with mistakes: refused in one or two lines that name the file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcore import UserError
from nfcore_scenes.llff import Llff, read_poses_bounds


def open_llff(folder, **options):
    return Llff(Llff.Options(path=folder, **options))


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        (np.zeros((6, 15)), "(n, 17)"),
        (np.zeros(17), "(n, 17)"),
        (np.zeros((6, 17)), "no rotation"),
        (np.full((6, 17), np.nan), "NaN"),
        (np.array([["a"] * 17] * 6), "(n, 17)"),
    ],
)
def test_poses_bounds_of_a_wrong_shape_or_content_are_refused(mine, rows, word, refusal):
    folder = mine("llff")
    np.save(folder / "poses_bounds.npy", rows)
    refusal(lambda: open_llff(folder), "poses_bounds.npy", word)


def test_bounds_that_are_none_are_refused(mine, refusal):
    folder = mine("llff")
    rows = np.load(folder / "poses_bounds.npy")
    rows[2, 15:] = 5, 5
    np.save(folder / "poses_bounds.npy", rows)
    refusal(lambda: open_llff(folder), "row 2", "nearest < farthest")


def test_another_number_of_photos_than_poses_is_refused(mine, refusal):
    folder = mine("llff")
    (folder / "images" / "0003.png").unlink()
    refusal(lambda: open_llff(folder), "6 photos", "holds 5")


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_bytes_as_poses_bounds_are_read_or_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "poses_bounds.npy"
        file.write_bytes(b"\x93NUMPY\x01\x00" + data if len(data) % 2 else data)
        with pytest.raises(UserError):
            read_poses_bounds(file)


@given(st.lists(st.floats(width=64), min_size=17, max_size=17))
@settings(max_examples=60, deadline=None)
def test_any_numbers_as_poses_bounds_are_read_or_refused(row):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "poses_bounds.npy"
        np.save(file, [row])
        try:
            poses, _, _ = read_poses_bounds(file)
        except UserError:
            return
        assert poses.isfinite().all()
