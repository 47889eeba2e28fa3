"""Files as other programs write them: Instant-NGP's entries, several kinds of masks, models by hand, formats."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from nfcore_scenes.blender import Blender
from nfcore_scenes.colmap import Colmap
from nfcore_scenes.llff import Llff
from nfcore_scenes.record3d import Record3d
from nfcore_scenes.transforms import TransformsJson


def open_transforms(folder, **options):
    return TransformsJson(TransformsJson.Options(path=folder, **options))


def open_colmap(folder):
    return Colmap(Colmap.Options(path=folder))


def count(source):
    return sum(len(source.views(split)) for split in ("train", "val", "test"))


# -- Instant-NGP and nerfstudio ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "half"), [({"offset": 0.5, "scale": 0.25}, 2), ({"offset": None, "scale": None}, 0.5 / 0.33)]
)
def test_instant_ngps_offset_may_be_a_number_or_null(mine, edit, entries, half):
    folder = mine("transforms")
    edit(folder, lambda values: values.update(entries, aabb_scale=2, ply_file_path=""))
    assert open_transforms(folder).scene.box[1] == pytest.approx((half, half, half))


@pytest.mark.parametrize("entry", [{"equirectangular": True}, {"latlong": True}, {"ftheta_p0": 0.0}])
def test_a_lens_that_is_no_pinholes_is_refused_by_its_name(mine, edit, refusal, entry):
    folder = mine("transforms")
    edit(folder, lambda values: (values.update(entry), values.pop("fl_x"), values.pop("camera_model", None)))
    refusal(lambda: open_transforms(folder), *entry)


@pytest.mark.parametrize(
    ("model", "same", "coefficients"),
    [
        ("SIMPLE_RADIAL_FISHEYE", "OPENCV_FISHEYE", {"k1": 0.02}),
        ("FULL_OPENCV", "OPENCV", {"k1": -0.05, "k2": 0.01}),
    ],
)
def test_colmaps_other_lenses_are_read_from_json(mine, edit, model, same, coefficients):
    folder, found = mine("transforms"), []
    for name in (model, same):
        zeros = dict.fromkeys(("k1", "k2", "k3", "k4", "p1", "p2"), 0)
        values = json.loads((folder / "transforms.json").read_text()) | zeros | coefficients
        (folder / "transforms.json").write_text(json.dumps(values | {"camera_model": name}))
        found.append(open_transforms(folder).views("train").cameras.intrinsics)
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_a_transposed_pose_is_said_to_be_one(mine, edit, refusal):
    folder = mine("transforms")
    matrix = np.eye(4)
    matrix[3, :3] = 1, 2, 3
    edit(folder, lambda values: values["frames"][0].update(transform_matrix=matrix.tolist()))
    refusal(lambda: open_transforms(folder), "transposed")


# -- masks ---------------------------------------------------------------------------------------------------


def half_masks(folder, names, white):
    folder.mkdir(exist_ok=True)
    pixels = np.full((32, 32), 255 - white, np.uint8)
    pixels[:, :16] = white
    for name in names:
        Image.fromarray(pixels).save(folder / name)


def test_instant_ngps_masks_hide_what_is_white(mine):
    folder = mine("transforms")
    half_masks(folder / "images", [f"dynamic_mask_{index:04d}.png" for index in range(6)], white=255)
    hidden = open_transforms(folder).views("train").masks
    assert hidden[:, :, :12].all() and not hidden[:, :, 20:].any()
    assert open_transforms(folder, masks="off").views("train").masks is None


def test_masks_that_no_photo_has_are_said_to_be_unused(mine):
    for layout, reader in (("transforms", open_transforms), ("text", open_colmap)):
        folder = mine(layout)
        half_masks(folder / "masks", ["other.png"], white=0)
        assert any(str(folder / "masks") in note for note in reader(folder).notes)


def test_masks_may_be_in_a_folder_of_the_other_number(mine):
    folder = mine("text")
    half_masks(folder / "mask", [f"{index:04d}.png.png" for index in range(6)], white=0)
    assert open_colmap(folder).views("train").masks[:, :, :12].all()


# -- COLMAP models that were written by hand -----------------------------------------------------------------


def rewrite(folder, file, change):
    path = folder / "sparse" / "0" / file
    path.write_text(change(path.read_text()))


def without_points(text):
    """Return images.txt without the lines of observations."""
    return "\n".join([line for line in text.splitlines() if not line.startswith("#")][::2]) + "\n"


def test_a_model_in_the_encoding_of_powershell_is_read(mine):
    folder = mine("text")
    for file in (folder / "sparse" / "0").glob("*.txt"):
        file.write_bytes(file.read_text().encode("utf-16"))
    assert count(open_colmap(folder)) == 6


def test_comments_may_be_indented(mine):
    folder = mine("text")
    rewrite(folder, "images.txt", lambda text: "  # known poses\n" + text)
    assert count(open_colmap(folder)) == 6


def test_names_that_begin_with_numbers_are_no_observations(mine):
    folder = mine("text")
    for file in (folder / "images").iterdir():
        file.rename(file.with_name(f"2024 05 {file.name}"))
    rewrite(folder, "images.txt", lambda text: without_points(text).replace(" 00", " 2024 05 00"))
    (folder / "sparse" / "0" / "points3D.txt").unlink()
    assert count(open_colmap(folder)) == 6


def test_points_without_tracks_may_be_a_ply(mine, sound):
    folder = mine("text")
    rewrite(folder, "images.txt", without_points)
    (folder / "sparse" / "0" / "points3D.txt").unlink()
    assert open_colmap(folder).points is None
    shutil.copy(sound / "transforms" / "sparse_pc.ply", folder / "sparse" / "0" / "points3D.ply")
    source = open_colmap(folder)
    assert len(source.points.positions) > 100 and source.scene.far < 20


def test_a_copy_that_was_posed_twice_is_read_once(mine, edit):
    folder = mine("transforms")
    shutil.copy(folder / "images" / "0000.png", folder / "images" / "0000 (1).png")

    def again(values):
        copy = json.loads(json.dumps(values["frames"][0])) | {"file_path": "images/0000 (1).png"}
        copy["transform_matrix"][0][3] += 1e-3
        values["frames"].append(copy)

    edit(folder, again)
    source = open_transforms(folder)
    assert count(source) == 6
    assert any("1 of 7" in note and "twice" in note for note in source.notes)


# -- renderings ----------------------------------------------------------------------------------------------


def test_a_list_of_no_test_photos_is_as_none(dataset):
    dataset.write("test", {"camera_angle_x": 0.7, "frames": []})
    source = Blender(Blender.Options(path=dataset.folder))
    assert source.views("test").names == ("train/r_0.png",)
    assert any("no test photos" in note for note in source.notes)


def test_validation_photos_of_json_are_test_views_without_a_note_of_an_overlap(mine, edit):
    folder = mine("transforms")
    names = [f"images/{index:04d}.png" for index in range(6)]
    edit(folder, lambda values: values.update(train_filenames=names[:4], val_filenames=names[4:]))
    source = open_transforms(folder)
    assert source.views("test").names == tuple(names[4:])
    assert not any("in test" in note for note in source.notes)


def test_photos_that_are_all_transparent_are_refused(dataset, refusal):
    for file in (dataset.folder / "train").iterdir():
        Image.new("RGBA", (8, 6)).save(file)
    refusal(lambda: Blender(Blender.Options(path=dataset.folder)).scene, "transparent", "r_0.png")


def test_photos_from_one_place_are_refused(mine, edit, refusal):
    folder = mine("transforms")

    def pan(values):
        for frame in values["frames"]:
            for row in frame["transform_matrix"][:3]:
                row[3] = 1.0

    edit(folder, pan)
    refusal(lambda: open_transforms(folder), "one place")


# -- what is not read has a next step ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "named"),
    [
        (b"v/1\x01", "OpenEXR"),
        (b"BM", "BMP"),
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"\0\0\0\x18ftypheic", "HEI"),
        (b"", "empty"),
    ],
)
def test_a_photo_of_another_format_is_named_whatever_its_ending(mine, refusal, start, named):
    folder = mine("transforms")
    (folder / "images" / "0002.png").write_bytes(start + bytes(64) if start else b"")
    refusal(lambda: open_transforms(folder), "0002.png", named)


def test_videos_of_a_camera_each_are_answered_with_a_command(mine, refusal):
    folder = mine("llff")
    shutil.rmtree(folder / "images")
    for index in range(6):
        (folder / f"cam{index:02}.mp4").write_bytes(b"")
    refusal(lambda: Llff(Llff.Options(path=folder)), "ffmpeg -i cam00.mp4")


def test_nerfies_photos_are_answered_with_a_command(tmp_path, refusal):
    for folder in ("camera", "rgb/1x"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "metadata.json").write_text("{}")
    refusal(lambda: Record3d(Record3d.Options(path=tmp_path)), "Nerfies", "nfcore pose")
