"""A capture's photos: masks, sizes, turned and grey ones, and the cache of those that were undistorted."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from nfcore import UserError
from nfcore_scenes.capture_writers import write_transforms
from nfcore_scenes.colmap import Colmap
from nfcore_scenes.photo_shoot import PHONE, around_poses, shoot
from nfcore_scenes.procedural import Procedural
from nfcore_scenes.transforms import TransformsJson


def open_colmap(folder, **options):
    return Colmap(Colmap.Options(path=folder, **options))


def open_transforms(folder, **options):
    return TransformsJson(TransformsJson.Options(path=folder, **options))


@pytest.fixture
def masked(mine, edit):
    """A capture whose masks hide the left of each photo."""
    folder = mine("transforms")
    mask = np.full((32, 32), 255, np.uint8)
    mask[:, :10] = 0
    Image.fromarray(mask).save(folder / "mask.png")
    edit(folder, lambda v: [frame.update(mask_path="mask.png") for frame in v["frames"]])
    return folder


def test_what_a_mask_hides_is_ignored_and_changes_neither_kind_nor_bounds(masked):
    source, plain = open_transforms(masked), open_transforms(masked, masks="off")
    views = source.views("train")
    assert views.masks[:, 16, :5].all() and not views.masks[:, 16, 16:].any()
    assert views.alpha is None and plain.views("train").masks is None
    assert source.scene == plain.scene and source.scene.unbounded
    assert torch.equal(views.images, plain.views("train").images)


def test_masks_of_an_object_make_what_is_around_it_transparent(masked):
    views = open_transforms(masked, masks="transparent", box=((-1, -1, -1), (1, 1, 1))).views("train")
    assert views.masks is None
    assert views.alpha[:, 16, :5].max() < 0.05 and views.alpha[:, 16, 16:].min() > 0.95
    assert torch.allclose(views.images[:, 16, 0], torch.ones(len(views), 3), atol=0.01)


@pytest.mark.parametrize("white", [255, 1])
def test_masks_of_another_size_are_scaled_and_of_another_shape_refused(masked, refusal, white):
    mask = np.full((16, 16), white, np.uint8)
    mask[:, :5] = 0
    Image.fromarray(mask).save(masked / "mask.png")
    views = open_transforms(masked).views("train")
    assert views.masks[:, 16, :5].all() and not views.masks[:, 16, 16:].any()
    Image.fromarray(mask[:8]).save(masked / "mask.png")
    refusal(lambda: open_transforms(masked).views("train"), "mask.png", "16x8", "32x32")


def test_large_masks_are_decoded_when_they_are_needed(masked, monkeypatch):
    """As the masks of a big capture, which would take more memory than its photos."""
    small = open_transforms(masked).views("train")
    monkeypatch.setattr("nfcore.dataset.photos._READ_AT_ONCE", 0)
    views = open_transforms(masked).views("train")
    (masked / "mask.png").rename(masked / "elsewhere.png")
    with pytest.raises(UserError, match=r"mask\.png"):
        views.masks[0]
    (masked / "elsewhere.png").rename(masked / "mask.png")
    assert torch.equal(views.counted(), small.counted())
    assert torch.equal(views.chosen([3, 1]).masks[:], small.masks[[3, 1]])
    pixels = torch.tensor([5, 12, 3000])
    assert torch.equal(views.to("cpu").pixel_masks(pixels), small.pixel_masks(pixels))


def test_a_photo_that_its_mask_ignores_is_left_out(masked, edit):
    Image.new("L", (32, 32)).save(masked / "black.png")
    edit(masked, lambda v: v["frames"][3].update(mask_path="black.png"))
    source = open_transforms(masked)
    assert "images/0003.png" not in source.views("train").names + source.views("test").names
    assert any("0003.png" in note for note in source.notes)


def test_photos_of_another_shape_are_fitted_whole_and_what_they_leave_free_is_ignored(mine, edit):
    """The upper half of a photo on the square canvas: scaled to the full width, it leaves a quarter free above."""
    folder = mine("transforms")
    before = open_transforms(folder).views("train")
    photo = folder / "images" / "0003.png"
    Image.open(photo).crop((0, 0, 32, 16)).save(photo)
    edit(folder, lambda v: v["frames"][3].update(h=16))
    after = open_transforms(folder).views("train")
    index = after.names.index("images/0003.png")
    free = after.masks[index]
    assert free[:8].all() and free[24:].all() and not free[8:24].any()
    assert not after.masks[[i for i in range(len(after)) if i != index]].any()
    assert after.cameras.height == before.cameras.height == 32


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


def test_a_cropped_photo_is_not_taken_for_the_one_that_was_posed(mine, refusal):
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


def test_undistorted_photos_are_kept_and_taken_again(mine, monkeypatch):
    folder = mine("colmap")
    first = open_colmap(folder).views("train").images
    monkeypatch.setattr("nfcore_scenes.photo_reading.undistorted", lambda *_: pytest.fail("undistorted again"))
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
    for file in own_cache.glob("*.npy"):
        file.write_bytes(file.read_bytes()[:100])
    assert torch.equal(open_colmap(folder).views("train").images, first)


def test_a_cache_folder_that_cannot_be_written_costs_only_time(mine, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("nfcore_scenes.photo_cache.cache_folder", lambda: tmp_path / "file" / "below")
    assert len(open_colmap(mine("colmap")).views("train")) == 5


def test_photos_are_cropped_evenly_to_multiples_for_a_students_scale(mine, refusal):
    """32 x 32 in multiples of 12 is 24 x 24, with 4 pixels less on each side."""
    folder = mine("colmap")
    whole, cropped = open_colmap(folder).views("train"), open_colmap(folder, multiple_of=12).views("train")
    assert torch.equal(cropped.images, whole.images[:, 4:28, 4:28])
    rays = whole.cameras.rays().directions[:, 4:28, 4:28]
    torch.testing.assert_close(cropped.cameras.rays().directions, rays, atol=1e-5, rtol=0)
    novel = open_colmap(folder, multiple_of=12).sample_cameras(2, torch.Generator().manual_seed(0))
    assert (novel.height, novel.width) == (24, 24)
    (note,) = open_colmap(folder, multiple_of=12).notes
    assert "32x32" in note and "24x24" in note
    assert not open_colmap(folder, multiple_of=8).notes
    refusal(lambda: open_colmap(folder, multiple_of=50), "multiple_of 50", "32x32")


def test_an_alpha_that_is_1_all_over_cuts_nothing_out(mine):
    folder = mine("transforms")
    for photo in (folder / "images").iterdir():
        Image.open(photo).convert("RGBA").save(photo)
    assert open_transforms(folder).scene.unbounded


def test_photos_that_are_cut_out_make_a_bounded_scene(tmp_path):
    taken = shoot(Procedural(Procedural.Options()), around_poses(8), PHONE.scaled(32, 32), alpha=True)
    write_transforms(taken, tmp_path / "cut")
    scene = open_transforms(tmp_path / "cut").scene
    assert not scene.unbounded
    assert all(low < -1 and high > 1 for low, high in list(zip(*scene.box, strict=True))[:2])
