"""What people's files are like: names of photos, endings, encodings, leftovers, missing and repeated photos."""

from __future__ import annotations

import json
import math
import shutil
import unicodedata

import numpy as np
import pytest
import torch
from PIL import Image

from nfcore_scenes.colmap import Colmap
from nfcore_scenes.llff import Llff
from nfcore_scenes.transforms import TransformsJson


def open_transforms(folder, **options):
    return TransformsJson(TransformsJson.Options(path=folder, **options))


def open_colmap(folder, image_size=None, **options):
    return Colmap(Colmap.Options(path=folder, **options), image_size)


def names_of(source):
    return sorted(name for split in ("train", "val", "test") for name in source.views(split).names)


def rename_in_json(folder, change):
    file = folder / "transforms.json"
    values = json.loads(file.read_text())
    for frame in values["frames"]:
        frame["file_path"] = change(frame["file_path"])
    file.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")


ALL = [f"images/{index:04d}.png" for index in range(6)]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: ".\\" + path.replace("/", "\\"),
        lambda path: f"C:\\Users\\me\\capture\\{path}",
        lambda path: f"/home/somebody/data/capture/{path}",
        lambda path: f"../capture/{path}",
        lambda path: path.removesuffix(".png"),
        lambda path: path.replace("images", "Images").replace(".png", ".PNG"),
        lambda path: path.replace(".png", ".JPG"),
    ],
    ids=["backslashes", "windows", "absolute", "parent", "no ending", "case", "converted"],
)
def test_photos_are_found_by_the_names_of_any_system(mine, change):
    folder = mine("transforms")
    rename_in_json(folder, change)
    assert names_of(open_transforms(folder)) == ALL


def test_an_absolute_path_inside_of_the_folder_is_read(mine):
    folder = mine("transforms")
    rename_in_json(folder, lambda path: str(folder / path))
    assert names_of(open_transforms(folder)) == ALL


def test_names_may_be_in_another_normal_form_of_unicode(mine):
    """macOS decomposes letters: a folder 'Bilder für Ötzi' unpacked from its archive has other code points."""
    folder = mine("transforms")
    (folder / "images").rename(folder / unicodedata.normalize("NFD", "Bilder für Ötzi 写真"))
    rename_in_json(folder, lambda path: path.replace("images", "Bilder für Ötzi 写真"))
    assert len(names_of(open_transforms(folder))) == 6


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_json_may_be_in_the_encodings_of_windows(mine, encoding):
    folder = mine("transforms")
    (folder / "images" / "0003.png").rename(folder / "images" / "für.png")
    rename_in_json(folder, lambda path: path.replace("0003", "für"))
    file = folder / "transforms.json"
    file.write_bytes(file.read_text(encoding="utf-8").encode(encoding))
    assert "images/für.png" in names_of(open_transforms(folder))


def test_photos_next_to_the_folder_of_the_json_have_a_way_out(mine, refusal):
    folder = mine("transforms")
    (folder / "json").mkdir()
    rename_in_json(folder, lambda path: f"../{path}")
    (folder / "transforms.json").rename(folder / "json" / "transforms.json")
    refusal(
        lambda: open_transforms(folder / "json"), "outside", f"transforms:{folder}", "file=json/transforms.json"
    )
    assert names_of(open_transforms(folder, file="json/transforms.json")) == ALL


def test_photos_that_are_missing_are_left_out_and_counted(mine):
    folder = mine("transforms")
    (folder / "images" / "0003.png").unlink()
    source = open_transforms(folder)
    assert names_of(source) == [name for name in ALL if "0003" not in name]
    (note,) = source.notes
    assert "1 of 6" in note and "images/0003.png" in note


def test_photos_of_a_model_that_were_deleted_are_left_out_and_counted(mine):
    folder = mine("colmap")
    for name in ("0002.png", "0004.png"):
        (folder / "images" / name).unlink()
    source = open_colmap(folder)
    assert names_of(source) == ["0000.png", "0001.png", "0003.png", "0005.png"]
    (note,) = source.notes
    assert "2 of 6" in note and "0002.png" in note


def test_a_capture_without_any_of_its_photos_is_refused(mine, refusal):
    folder = mine("transforms")
    for photo in (folder / "images").iterdir():
        photo.unlink()
    refusal(lambda: open_transforms(folder), "none of its 6 photos", "0000.png")


def test_a_frame_without_a_finite_pose_is_left_out_and_named(mine, edit):
    folder = mine("transforms")
    edit(folder, lambda v: v["frames"][3]["transform_matrix"][0].__setitem__(3, math.nan))
    source = open_transforms(folder)
    assert "images/0003.png" not in names_of(source)
    assert any("images/0003.png" in note for note in source.notes)


@pytest.mark.parametrize("copied", [False, True], ids=["same file", "a copy"])
def test_the_same_photo_twice_is_read_once(mine, edit, copied):
    folder = mine("transforms")
    name = "images/copy.png" if copied else "images/0000.png"
    if copied:
        (folder / name).write_bytes((folder / "images/0000.png").read_bytes())
    edit(folder, lambda v: v["frames"].append(v["frames"][0] | {"file_path": name}))
    source = open_transforms(folder)
    assert len(names_of(source)) == 6
    assert any("1 of 7" in note and "twice" in note for note in source.notes)


def test_a_photo_in_train_and_in_test_is_only_tested_on(mine, edit):
    folder = mine("transforms")
    edit(folder, lambda v: v.update(train_filenames=ALL[:4], val_filenames=ALL[3:5], test_filenames=ALL[4:]))
    source = open_transforms(folder)
    splits = {split: source.views(split).names for split in ("train", "val", "test")}
    assert splits == {"train": tuple(ALL[:3]), "val": (ALL[3],), "test": tuple(ALL[4:])}
    assert any(ALL[4] in note for note in source.notes)


def test_splits_that_leave_nothing_to_train_on_are_made_anew_from_all(mine, edit):
    folder = mine("transforms")
    edit(folder, lambda v: v.update(train_filenames=ALL, test_filenames=ALL))
    source = open_transforms(folder)
    assert len(source.views("train")) == 5 and source.views("test").names == ("images/0000.png",)
    assert len(source.notes) == 2


def test_leftovers_of_macos_are_no_photos(mine):
    folder = mine("llff")
    for name in ("._0000.png", ".DS_Store", "Thumbs.db"):
        (folder / "images" / name).write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X        ")
    (folder / "images" / "__MACOSX").mkdir()
    assert len(names_of(Llff(Llff.Options(path=folder)))) == 6


@pytest.mark.parametrize("ending", [".tif", ".tiff", ".TIF"])
def test_tiff_photos_are_read(mine, ending):
    folder = mine("transforms")
    before = open_transforms(folder).views("train").images
    for photo in list((folder / "images").iterdir()):
        Image.open(photo).save(photo.with_suffix(ending), "TIFF")
        photo.unlink()
    rename_in_json(folder, lambda path: path.replace(".png", ending))
    assert torch.equal(open_transforms(folder).views("train").images, before)


def test_names_with_spaces_and_sub_folders_of_a_text_model_are_read(mine):
    folder = mine("text")
    file = folder / "sparse" / "0" / "images.txt"
    text = file.read_text()
    for index in range(6):
        name = f"cam {index % 2}/my photo {index}.png"
        (folder / "images" / name).parent.mkdir(exist_ok=True)
        (folder / "images" / f"{index:04d}.png").rename(folder / "images" / name)
        text = text.replace(f"{index:04d}.png", name)
    file.write_text(text)
    assert "cam 1/my photo 3.png" in names_of(open_colmap(folder))


def test_a_second_model_is_named_unless_one_is_chosen(mine):
    folder = mine("text")
    shutil.copytree(folder / "sparse" / "0", folder / "sparse" / "1")
    (note,) = open_colmap(folder).notes
    assert "sparse/1" in note
    assert not open_colmap(folder, model="sparse/1").notes


def test_a_model_without_points_or_tracks_has_bounds_from_its_cameras(mine):
    folder = mine("text")
    model = folder / "sparse" / "0"
    lines = (model / "images.txt").read_text().splitlines()
    poses = [line for line in lines if line.endswith(".png")]
    (model / "images.txt").write_text("".join(f"{line}\n\n" for line in poses))
    (model / "points3D.txt").write_text("# none\n")
    blank, scene = open_colmap(folder).notes, open_colmap(folder).scene
    (model / "images.txt").write_text("\n".join(poses))
    (model / "points3D.txt").unlink()
    assert open_colmap(folder).scene == scene and scene.unbounded
    assert len(blank) == 1 and "no points" in blank[0] and open_colmap(folder).points is None


def test_points_without_tracks_say_how_deep_the_scene_is(mine):
    folder = mine("text")
    file = folder / "sparse" / "0" / "points3D.txt"
    known = open_colmap(folder).scene
    lines = [" ".join(line.split()[:8]) for line in file.read_text().splitlines() if not line.startswith("#")]
    file.write_text("\n".join(lines) + "\n")
    scene = open_colmap(folder).scene
    assert scene.near == pytest.approx(known.near, rel=0.1) and scene.far == pytest.approx(known.far, rel=0.1)


def scaled_copies(folder, ending=".png", name=lambda photo: photo.stem):
    (folder / "images_2").mkdir()
    for photo in sorted((folder / "images").iterdir()):
        copy = folder / "images_2" / f"{name(photo)}{ending}"
        Image.open(photo).convert("RGB").resize((16, 16), Image.Resampling.BOX).save(copy)


def test_scaled_copies_may_have_another_ending(mine):
    folder = mine("colmap")
    scaled_copies(folder, ".jpg")
    views = open_colmap(folder, 16).views("train")
    assert views.images.shape[1:3] == (16, 16)
    assert open_colmap(folder)._capture.splits["train"][0].file.parent.name == "images"
    assert open_colmap(folder, 16)._capture.splits["train"][0].file.parent.name == "images_2"


def test_scaled_copies_may_be_numbered_in_the_order_of_the_photos(mine):
    """As in LLFF's own scenes: images/IMG_4026.JPG and images_8/image000.png."""
    folder = mine("colmap")
    scaled_copies(folder, name=lambda photo: f"image{int(photo.stem):03d}")
    source = open_colmap(folder, 16)
    assert source._capture.splits["train"][0].file.name == "image001.png"
    whole = open_colmap(folder).views("train").images.reshape(5, 16, 2, 16, 2, 3).mean((2, 4))
    assert (source.views("train").images - whole).square().mean() < 2e-3


def test_an_incomplete_folder_of_scaled_copies_is_not_taken(mine):
    folder = mine("colmap")
    scaled_copies(folder)
    (folder / "images_2" / "0002.png").unlink()
    assert open_colmap(folder, 16)._capture.splits["train"][0].file.parent.name == "images"


def test_a_file_in_the_place_of_the_photos_folder_is_named(mine, refusal):
    folder = mine("colmap")
    for photo in (folder / "images").iterdir():
        photo.unlink()
    (folder / "images").rmdir()
    (folder / "images").write_text("")
    refusal(lambda: open_colmap(folder), "images is a file")


def test_shinys_layout_is_refused_with_what_would_be_right(mine, refusal):
    folder = mine("llff")
    rows = np.load(folder / "poses_bounds.npy")
    matrices = rows[:, :15].reshape(-1, 3, 5)[:, :, :4].reshape(-1, 12)
    np.save(folder / "poses_bounds.npy", np.concatenate([matrices, rows[:, 15:]], 1))
    refusal(lambda: Llff(Llff.Options(path=folder)), "14 numbers", "hwf_cxcy.npy", "17")
