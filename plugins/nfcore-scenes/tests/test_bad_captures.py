"""Damaged and unusual captures: handled, or refused in one or two lines that name the file."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nfcore import NfcoreError, UserError
from nfcore_scenes.capture_writers import write_colmap, write_llff, write_transforms
from nfcore_scenes.colmap import Colmap
from nfcore_scenes.colmap_files import read_model
from nfcore_scenes.llff import Llff, read_poses_bounds
from nfcore_scenes.photo_shoot import PHONE, PINHOLE, around_poses, forward_poses, shoot
from nfcore_scenes.points import read_points
from nfcore_scenes.procedural import Procedural
from nfcore_scenes.transforms import TransformsJson

SCENE = Procedural(Procedural.Options())
PHOTOS = 6


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """The same small capture in every layout: folders llff, colmap, text and transforms."""
    folder = tmp_path_factory.mktemp("sound")
    around = shoot(SCENE, around_poses(PHOTOS), PHONE.scaled(32, 32), alpha=False)
    write_llff(shoot(SCENE, forward_poses(PHOTOS), PINHOLE.scaled(32, 32), alpha=False), folder / "llff")
    write_colmap(around, folder / "colmap")
    write_colmap(around, folder / "text", text=True)
    write_transforms(around, folder / "transforms")
    return folder


@pytest.fixture
def mine(sound, tmp_path):
    """Return a copy of one of the captures, to be spoilt."""
    return lambda layout: Path(shutil.copytree(sound / layout, tmp_path / layout))


def refusal(make, *words: str) -> str:
    with pytest.raises(UserError) as error:
        make()
    text = str(error.value)
    assert len(text.splitlines()) <= 2 and len(text) < 600, text
    for word in words:
        assert word in text, text
    return text


def open_llff(folder, **options):
    return Llff(Llff.Options(path=folder, **options))


def open_colmap(folder, **options):
    return Colmap(Colmap.Options(path=folder, **options))


def open_transforms(folder, **options):
    return TransformsJson(TransformsJson.Options(path=folder, **options))


def edit(folder: Path, change) -> None:
    file = folder / "transforms.json"
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))


# -- LLFF -----------------------------------------------------------------------------------------------------


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
def test_poses_bounds_of_a_wrong_shape_or_content_are_refused(mine, rows, word):
    folder = mine("llff")
    np.save(folder / "poses_bounds.npy", rows)
    refusal(lambda: open_llff(folder), "poses_bounds.npy", word)


def test_bounds_that_are_none_are_refused(mine):
    folder = mine("llff")
    rows = np.load(folder / "poses_bounds.npy")
    rows[2, 15:] = 5, 5
    np.save(folder / "poses_bounds.npy", rows)
    refusal(lambda: open_llff(folder), "row 2", "nearest < farthest")


def test_another_number_of_photos_than_poses_is_refused(mine):
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


# -- COLMAP ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin", "points3D.bin"])
@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=25, deadline=None)
def test_a_truncated_binary_is_refused_wherever_it_ends(sound, name, share):
    with tempfile.TemporaryDirectory() as folder:
        model = Path(shutil.copytree(sound / "colmap" / "sparse" / "0", Path(folder) / "0"))
        data = (model / name).read_bytes()
        (model / name).write_bytes(data[: int(share * len(data))])
        refusal(lambda: read_model(model), name)


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


def test_an_unknown_camera_model_is_refused(mine):
    folder = mine("colmap")
    file = folder / "sparse" / "0" / "cameras.bin"
    data = bytearray(file.read_bytes())
    data[12:16] = (77).to_bytes(4, "little")
    file.write_bytes(data)
    refusal(lambda: open_colmap(folder), "cameras.bin", "77")


def test_a_name_that_is_no_text_is_refused(mine):
    folder = mine("colmap")
    file = folder / "sparse" / "0" / "images.bin"
    data = file.read_bytes()
    file.write_bytes(data.replace(b"0001.png", b"\x80001.png"))
    refusal(lambda: open_colmap(folder), "images.bin", "UTF-8")


@pytest.mark.parametrize("changes", [{79: 76}, {79: 76, 78: 54}], ids=["far away", "no number"])
def test_a_lens_that_puts_pixels_nowhere_is_refused(mine, changes):
    folder = mine("colmap")
    file = folder / "sparse" / "0" / "cameras.bin"
    data = bytearray(file.read_bytes())
    for place, byte in changes.items():
        data[place] = byte
    file.write_bytes(data)
    refusal(lambda: open_colmap(folder).views("train"), "distortion", "can't be undone")


def test_a_panorama_is_refused(mine):
    folder = mine("text")
    file = folder / "sparse" / "0" / "cameras.txt"
    file.write_text("1 EQUIRECTANGULAR 32 32 32 32\n")
    refusal(lambda: open_colmap(folder), "EQUIRECTANGULAR")


def test_missing_photos_are_counted_and_one_is_named(mine):
    folder = mine("colmap")
    for name in ("0002.png", "0004.png"):
        (folder / "images" / name).unlink()
    refusal(lambda: open_colmap(folder), "2 of the 6", "0002.png")


def test_a_model_without_points_is_refused(mine):
    folder = mine("text")
    (folder / "sparse" / "0" / "points3D.txt").write_text("")
    lines = (folder / "sparse" / "0" / "images.txt").read_text().splitlines()
    poses = [line for line in lines if line.endswith(".png")]
    (folder / "sparse" / "0" / "images.txt").write_text("".join(f"{line}\n\n" for line in poses))
    refusal(lambda: open_colmap(folder), "0 points")


def test_half_a_model_is_refused(mine):
    folder = mine("colmap")
    (folder / "sparse" / "0" / "points3D.bin").unlink()
    refusal(lambda: open_colmap(folder), "points3D.bin")


def test_a_photo_name_that_leads_out_of_the_folder_is_refused(mine):
    folder = mine("text")
    file = folder / "sparse" / "0" / "images.txt"
    file.write_text(file.read_text().replace("0003.png", "../../secret.png"))
    refusal(lambda: open_colmap(folder), "../../secret.png", "outside")


def test_a_single_view_is_refused(mine):
    folder = mine("text")
    file = folder / "sparse" / "0" / "images.txt"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    file.write_text(f"{lines[0]}\n\n")
    (folder / "sparse" / "0" / "points3D.txt").write_text("")
    refusal(lambda: open_colmap(folder), "1 photos", "at least 3")


# -- transforms -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../elsewhere/a.png", "/etc/passwd", "C:\\a.png", "images/../../a.png"])
@pytest.mark.parametrize("where", ["file_path", "mask_path", "ply_file_path", "train_filenames"])
def test_paths_that_lead_out_of_the_scenes_folder_are_refused(mine, where, path):
    folder = mine("transforms")

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
        (lambda v: v.update(frames=v["frames"][:1]), ["at least 2"]),
        (lambda v: v.update(camera_model="EQUIRECTANGULAR"), ["EQUIRECTANGULAR"]),
        (lambda v: v.update(k4=0.1), ["k4"]),
        (lambda v: [v.pop("fl_x"), v.pop("fl_y")], ["focal length"]),
        (lambda v: v["frames"][0].pop("transform_matrix"), ["transform_matrix", "missing"]),
        (lambda v: v["frames"][0]["transform_matrix"][0].__setitem__(0, 9.0), ["no rigid transform"]),
        (lambda v: v.update(w=64, h=200), ["32x32", "64x200"]),
        (
            lambda v: v.update(train_filenames=["images/0001.png"], test_filenames=["images/0002.png"]),
            ["at least"],
        ),
        (
            lambda v: v.update(
                train_filenames=["images/0001.png", "images/0002.png"], test_filenames=["images/0002.png"]
            ),
            ["images/0002.png", "in train and in test"],
        ),
        (lambda v: v.update(train_filenames=["images/9.png"]), ["images/9.png"]),
    ],
)
def test_mistakes_in_transforms_are_named(mine, change, words):
    folder = mine("transforms")
    edit(folder, change)
    refusal(lambda: open_transforms(folder), "transforms.json" if "32x32" not in words else "0000.png", *words)


def test_the_split_of_the_file_is_kept(mine):
    folder = mine("transforms")
    names = [f"images/{index:04d}.png" for index in range(PHOTOS)]
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
                points = read_points(file)
            except UserError as error:
                assert "points.ply" in str(error)
                continue
            assert points.shape[1:] == (3,) and points.isfinite().all()


# -- photos ---------------------------------------------------------------------------------------------------


def test_a_mask_makes_its_photo_transparent(mine):
    folder = mine("transforms")
    mask = np.full((32, 32), 255, np.uint8)
    mask[:, :10] = 0
    Image.fromarray(mask).save(folder / "mask.png")
    edit(folder, lambda v: [frame.update(mask_path="mask.png") for frame in v["frames"]])
    views = open_transforms(folder, box=((-1, -1, -1), (1, 1, 1))).views("train")
    assert views.alpha[:, 16, :5].max() < 0.05 and views.alpha[:, 16, 16:].min() > 0.95
    assert torch.allclose(views.images[:, 16, 0], torch.ones(len(views), 3), atol=0.01)
    assert open_transforms(folder, masks=False).views("train").alpha is None


def test_photos_of_several_sizes_become_one_size(mine):
    """The odd one has twice the pixels of the same lens: scaled down, it shows the same."""
    folder = mine("transforms")
    before = open_transforms(folder).views("train")
    photo = folder / "images" / "0003.png"
    Image.open(photo).resize((64, 64), Image.Resampling.NEAREST).save(photo)
    after = open_transforms(folder).views("train")
    assert after.images.shape == before.images.shape
    index = before.names.index("images/0003.png")
    torch.testing.assert_close(after.cameras.intrinsics, before.cameras.intrinsics, atol=0.02, rtol=0)
    assert (after.images[index] - before.images[index]).square().mean() < 3e-3


def test_a_cropped_photo_is_not_taken_for_the_one_that_was_posed(mine):
    folder = mine("colmap")
    photo = folder / "images" / "0003.png"
    Image.open(photo).crop((0, 0, 32, 20)).save(photo)
    refusal(lambda: open_colmap(folder), "0003.png", "32x20", "32x32")


@pytest.mark.parametrize("tall", [False, True])
def test_a_photo_is_turned_by_its_exif_data_only_where_its_camera_says_so(tmp_path, tall):
    """Stored 24 x 16, to be turned right: a camera of 24 x 16 takes it as stored, one of 16 x 24 turned."""
    stored = np.zeros((16, 24, 3), np.uint8)
    stored[:, :12, 0] = 255  # red on the left; turned to the right, red is on top
    picture = Image.fromarray(stored)
    exif = picture.getexif()
    exif[0x0112] = 6
    frames = []
    for index, pose in enumerate(around_poses(3)):
        picture.save(tmp_path / f"{index}.jpg", exif=exif, quality=95)
        frames.append({"file_path": f"{index}.jpg", "transform_matrix": [*pose.tolist(), [0.0, 0.0, 0.0, 1.0]]})
    width, height = (16, 24) if tall else (24, 16)
    (tmp_path / "transforms.json").write_text(
        json.dumps({"w": width, "h": height, "fl_x": 30.0, "frames": frames})
    )
    image = open_transforms(tmp_path).views("test").images[0]
    assert image.shape == (height, width, 3)
    red, other = (image[:10], image[14:]) if tall else (image[:, :10], image[:, 14:])
    assert red[..., 0].mean() > 0.9 and other[..., 0].mean() < 0.1


@pytest.mark.parametrize("mode", ["L", "I;16", "LA"])
def test_grey_and_16_bit_photos_are_read(mine, mode):
    folder = mine("transforms")
    for photo in (folder / "images").iterdir():
        grey = Image.open(photo).convert("L")
        if mode == "I;16":
            grey = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        (grey.convert("LA") if mode == "LA" else grey).save(photo)
    images = open_transforms(folder, box=((-1, -1, -1), (1, 1, 1))).views("train").images
    assert (images[..., 0] == images[..., 1]).all() and images.min() < 0.5 and images.max() > 0.9


# -- the cache ------------------------------------------------------------------------------------------------


def test_undistorted_photos_are_kept_and_taken_again(mine, monkeypatch):
    folder = mine("colmap")
    first = open_colmap(folder).views("train").images
    monkeypatch.setattr("nfcore_scenes.captures.undistorted", lambda *_: pytest.fail("undistorted again"))
    assert torch.equal(open_colmap(folder).views("train").images, first)


def test_a_changed_photo_is_undistorted_again(mine):
    folder = mine("colmap")
    open_colmap(folder).views("train")
    Image.new("RGB", (32, 32), (255, 0, 0)).save(folder / "images" / "0003.png")
    views = open_colmap(folder).views("train")
    assert torch.allclose(views.images[views.names.index("0003.png")], torch.tensor([1.0, 0, 0]))


def test_a_damaged_cache_is_made_again(mine, own_cache):
    folder = mine("colmap")
    first = open_colmap(folder).views("train").images
    (file,) = own_cache.glob("*.npy")
    file.write_bytes(file.read_bytes()[:100])
    assert torch.equal(open_colmap(folder).views("train").images, first)


def test_a_cache_folder_that_cannot_be_written_costs_only_time(mine, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("nfcore_scenes.photo_cache.cache_folder", lambda: tmp_path / "file" / "below")
    assert len(open_colmap(mine("colmap")).views("train")) == 5


def test_photos_are_cropped_evenly_to_multiples_for_a_students_scale(mine):
    """32 x 32 in multiples of 12 is 24 x 24, with 4 pixels less on each side."""
    folder = mine("colmap")
    whole, cropped = open_colmap(folder).views("train"), open_colmap(folder, multiple_of=12).views("train")
    assert torch.equal(cropped.images, whole.images[:, 4:28, 4:28])
    rays = whole.cameras.rays().directions[:, 4:28, 4:28]
    torch.testing.assert_close(cropped.cameras.rays().directions, rays, atol=1e-5, rtol=0)
    novel = open_colmap(folder, multiple_of=12).sample_cameras(2, torch.Generator().manual_seed(0))
    assert (novel.height, novel.width) == (24, 24)
    refusal(lambda: open_colmap(folder, multiple_of=50), "multiple_of 50", "32x32")


def test_an_alpha_that_is_1_all_over_cuts_nothing_out(mine):
    folder = mine("transforms")
    for photo in (folder / "images").iterdir():
        Image.open(photo).convert("RGBA").save(photo)
    assert open_transforms(folder).scene.unbounded


def test_photos_that_are_cut_out_make_a_bounded_scene(tmp_path):
    taken = shoot(SCENE, around_poses(8), PHONE.scaled(32, 32), alpha=True)
    write_transforms(taken, tmp_path / "cut")
    scene = open_transforms(tmp_path / "cut").scene
    assert not scene.unbounded
    assert all(low < -1 and high > 1 for low, high in list(zip(*scene.box, strict=True))[:2])
