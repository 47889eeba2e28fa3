"""transforms.json with mistakes, and its points: refused in one or two lines that name the file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcore import UserError
from nfcore_scenes.points import read_points
from nfcore_scenes.transforms import TransformsJson


def open_transforms(folder, **options):
    return TransformsJson(TransformsJson.Options(path=folder, **options))


@pytest.mark.parametrize("path", ["../elsewhere/a.png", "/etc/passwd", "images/../../elsewhere/a.png"])
@pytest.mark.parametrize("where", ["file_path", "mask_path", "ply_file_path", "train_filenames"])
def test_paths_that_lead_out_of_the_scenes_folder_are_refused(mine, where, path, refusal, edit, tmp_path):
    folder = mine("transforms")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").write_bytes((folder / "images" / "0000.png").read_bytes())

    def change(values):
        if where == "ply_file_path":
            values[where] = path
        elif where == "train_filenames":
            values[where] = [path]
        else:
            values["frames"][1][where] = path

    edit(folder, change)
    refusal(lambda: open_transforms(folder), where, "outside")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v.update(frames=[]), ["frames"]),
        (lambda v: v.update(frames=v["frames"][:1]), ["at least 3"]),
        (lambda v: v.update(camera_model="EQUIRECTANGULAR"), ["EQUIRECTANGULAR"]),
        (lambda v: v.update(k4=0.1), ["k4"]),
        (lambda v: [v.pop("fl_x"), v.pop("fl_y")], ["focal length"]),
        (lambda v: v["frames"][0].pop("transform_matrix"), ["transform_matrix", "missing"]),
        (lambda v: v["frames"][0]["transform_matrix"][0].__setitem__(0, 9.0), ["rigid"]),
        (lambda v: v.update(w=64, h=200), ["32x32", "64x200"]),
        (lambda v: v.update(train_filenames=["images/9.png"]), ["images/9.png"]),
    ],
)
def test_mistakes_in_transforms_are_named(mine, change, words, refusal, edit):
    folder = mine("transforms")
    edit(folder, change)
    refusal(lambda: open_transforms(folder), "transforms.json" if "32x32" not in words else ".png", *words)


def test_the_split_of_the_file_is_kept(mine, edit):
    folder = mine("transforms")
    names = [f"images/{index:04d}.png" for index in range(6)]
    edit(
        folder,
        lambda v: v.update(train_filenames=names[:3], val_filenames=names[3:5], test_filenames=names[5:]),
    )
    source = open_transforms(folder)
    assert [source.views(split).names for split in ("train", "val", "test")] == [
        tuple(names[:3]),
        tuple(names[3:5]),
        tuple(names[5:]),
    ]


FIELDS = ["frames", "file_path", "transform_matrix", "fl_x", "camera_angle_x", "w", "k1", "ply_file_path"]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=12,
)


@given(ANY_JSON)
@settings(max_examples=60, deadline=None)
def test_any_json_is_read_or_refused(value):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "transforms.json").write_text(json.dumps(value))
        with pytest.raises(UserError) as error:
            open_transforms(Path(folder))
        assert len(str(error.value).splitlines()) <= 2


@given(st.binary(max_size=200), st.integers(-3, 40))
@settings(max_examples=80, deadline=None)
def test_any_bytes_as_points_are_read_or_refused(data, count):
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\nproperty float x\nproperty float y\n"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "points.ply"
        for content in (data, f"{header}property float z\nend_header\n".encode() + data):
            file.write_bytes(content)
            try:
                points, colours = read_points(file)
            except UserError as error:
                assert "points.ply" in str(error)
                continue
            assert points.shape[1:] == (3,) and points.isfinite().all() and colours is None
