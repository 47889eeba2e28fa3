"""The world of a capture: up, centre, bounds, novel cameras, and what is said of calibrations and poses."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from nfcore import Cameras, OrbitRegion
from nfcore.dataset import misread, outer_box, upright_frame
from nfcore.geometry import hull_box, look_at, upright
from nfcore.geometry.uprightness import is_up_ambiguous
from nfcore_scenes.blender import Blender
from nfcore_scenes.blender_writer import write_blender
from nfcore_scenes.procedural import Procedural
from nfcore_scenes.transforms import TransformsJson

UP = torch.tensor([0.0, 0.0, 1.0])


def orbit(n, elevation=0.5, arc=2 * math.pi, radius=4.0):
    azimuth = torch.arange(n) * (arc / n)
    flat = math.sqrt(1 - elevation**2)
    eyes = torch.stack([flat * azimuth.cos(), flat * azimuth.sin(), torch.full((n,), elevation)], 1)
    return look_at(radius * eyes, torch.zeros(3), UP)


def on_their_side(poses):
    right, above, back, eyes = poses.unbind(2)
    return torch.stack([-above, right, back, eyes], 2)


def open_transforms(folder, **options):
    return TransformsJson(TransformsJson.Options(path=folder, **options))


# -- up ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("elevation", [0.1, 0.5, 0.9])
def test_up_is_found_if_all_photos_lie_on_their_side(elevation):
    poses = on_their_side(orbit(12, elevation))
    torch.testing.assert_close(upright(poses), UP, atol=1e-4, rtol=0)


@pytest.mark.parametrize("elevation", [0.1, 0.5, 0.9])
def test_up_is_found_if_some_photos_lie_on_their_side(elevation):
    poses = orbit(12, elevation)
    mixed = torch.where(torch.arange(12)[:, None, None] % 3 == 0, on_their_side(poses), poses)
    assert upright(mixed) @ UP > 0.99


def test_up_is_the_end_nearer_to_z_if_all_photos_lie_on_their_side_and_are_level():
    poses = on_their_side(orbit(12, 0.0))
    torch.testing.assert_close(upright(poses), UP, atol=1e-4, rtol=0)
    (half_turn,) = torch.tensor([[[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]])
    torch.testing.assert_close(upright(half_turn @ poses), UP, atol=1e-4, rtol=0)


def test_a_level_capture_on_its_side_is_told_and_can_be_turned_upside_down():
    poses = on_their_side(orbit(12, 0.0))
    assert is_up_ambiguous(poses)
    assert not is_up_ambiguous(on_their_side(orbit(12, 0.3)))
    assert not is_up_ambiguous(orbit(12, 0.0))
    frame, turned = upright_frame(poses), upright_frame(poses, upside_down=True)
    torch.testing.assert_close(frame[2, :3], UP, atol=1e-4, rtol=0)
    torch.testing.assert_close(turned[2, :3], -UP, atol=1e-4, rtol=0)


def test_novel_cameras_of_photos_on_their_side_go_round_horizontally():
    poses = on_their_side(orbit(12))
    cameras = Cameras(poses, torch.tensor([[50.0, 50, 24, 24]]).repeat(12, 1), 48, 48)
    heights = OrbitRegion.around(cameras).circle(16)[:, 2, 3]
    torch.testing.assert_close(heights, torch.full((16,), 2.0), atol=1e-3, rtol=0)


# -- coordinates and conventions ---------------------------------------------------------------------------------


def test_geographic_coordinates_are_centred_without_losing_digits(mine, edit):
    """UTM coordinates have 7 digits before the point; float32 would round them to half a metre."""
    folder = mine("transforms")
    edit(folder, lambda v: v.pop("ply_file_path"))
    before = open_transforms(folder)

    def move(values):
        for frame in values["frames"]:
            for row, offset in zip(frame["transform_matrix"], (691234.5, 5334765.25, 519.0), strict=False):
                row[3] += offset

    edit(folder, move)
    after = open_transforms(folder)
    known, moved = before.views("train").cameras.poses, after.views("train").cameras.poses
    torch.testing.assert_close(moved[:, :, 3] - moved[0, :, 3], known[:, :, 3] - known[0, :, 3], atol=1e-5, rtol=0)
    assert moved[:, :, 3].norm(dim=1).max() < 10
    assert any("691" in note for note in after.notes)


def test_poses_in_another_convention_are_said():
    poses = orbit(12)
    rotation, eyes = poses[:, :, :3].transpose(1, 2), poses[:, :, 3:]
    assert misread(poses) is None
    assert "world-to-camera" in misread(torch.cat([rotation, -rotation @ eyes], 2))
    assert "OpenCV" in misread(poses * torch.tensor([1.0, -1, -1, 1]))


def test_a_failed_calibration_is_refused(mine, edit, refusal):
    """nerfstudio's issue 3057: k1 = -44.85 and k2 = 1017.4."""
    folder = mine("transforms")
    edit(folder, lambda v: v.update(k1=-44.85, k2=1017.4, p1=0.62, p2=0.94))
    refusal(lambda: open_transforms(folder), "distortion", "-44.85", "failed calibration")


def test_a_mirrored_pose_is_refused(mine, edit, refusal):
    folder = mine("transforms")

    def mirror(values):
        for row in values["frames"][0]["transform_matrix"][:3]:
            row[1] *= -1

    edit(folder, mirror)
    refusal(lambda: open_transforms(folder), "images/0000.png", "mirrored")


def test_a_focal_length_may_be_an_angle_in_degrees(mine, edit):
    """Instant-NGP's x_fov: 60 degrees over 32 pixels is f = 16 / tan 30 = 27.71."""
    folder = mine("transforms")
    edit(folder, lambda v: [v.pop(key) for key in ("fl_x", "fl_y", "k1", "k2", "p1", "p2", "cx", "cy")])
    edit(folder, lambda v: v.update(x_fov=60.0))
    assert open_transforms(folder).views("train").cameras.intrinsics[0].tolist() == pytest.approx(
        [27.713, 27.713, 16, 16], abs=1e-3
    )


# -- bounds ----------------------------------------------------------------------------------------------------


def ball_silhouettes(cameras, radius=1.0):
    rays = cameras.rays()
    origins, directions = rays.origins, F.normalize(rays.directions, dim=-1)
    closest = origins - (origins * directions).sum(-1, keepdim=True) * directions
    return list((closest.norm(dim=-1) < radius).float())


@pytest.mark.parametrize("arc", [2 * math.pi, 0.9])
def test_the_box_of_an_object_seen_from_a_part_of_the_sphere_is_not_that_of_the_cameras(arc):
    """A ball of radius 1: from one side the depth is unknown, so the box may be half as long again, not 3.6."""
    poses = orbit(16, 0.3, arc)
    cameras = Cameras(poses, torch.tensor([[70.0, 70, 32, 32]]).repeat(16, 1), 64, 64)
    silhouettes = ball_silhouettes(cameras)
    low, high = torch.tensor(hull_box(cameras, silhouettes, around=outer_box(cameras, silhouettes)))
    assert (low <= -0.95).all() and (high >= 0.95).all()
    assert low.min() >= -1.6 and high.max() <= 1.6


@pytest.fixture
def rendered(tmp_path):
    """Return a Blender data set of the procedural scene, to be spoilt."""
    write_blender(Procedural(Procedural.Options(train_views=12, val_views=2, test_views=3), 32), tmp_path / "r")
    return tmp_path / "r"


def edit_split(folder, split, change):
    file = folder / f"transforms_{split}.json"
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))


def open_blender(folder, **options):
    return Blender(Blender.Options(path=folder, **options))


def farther(values):
    for frame in values["frames"]:
        for row in frame["transform_matrix"][:3]:
            row[3] *= 15


def without_alpha(folder, colour):
    for photo in folder.rglob("*.png"):
        picture = Image.open(photo)
        plain = Image.new("RGB", picture.size, colour)
        plain.paste(picture, mask=picture.split()[-1])
        plain.save(photo)


def test_bounds_of_a_rendering_in_other_units_follow_the_cameras(rendered):
    box = torch.tensor(open_blender(rendered).scene.box)
    for split in ("train", "val", "test"):
        edit_split(rendered, split, farther)
    scene = open_blender(rendered).scene
    torch.testing.assert_close(torch.tensor(scene.box), 15 * box, rtol=0.02, atol=0.02)
    assert 15 * 2 < scene.near < 60 < scene.far < 15 * 7


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (40, 90, 10)])
def test_a_rendering_without_alpha_shows_an_object_on_the_colour_around_it(rendered, colour):
    without_alpha(rendered, colour)
    for split in ("train", "val", "test"):
        edit_split(rendered, split, farther)
    scene = open_blender(rendered).scene
    assert not scene.unbounded
    assert scene.background == pytest.approx([value / 255 for value in colour], abs=0.01)
    low, high = torch.tensor(scene.box)
    assert (low < -15 * 0.5).all() and low.min() > -15 * 2.2 and high.max() < 15 * 2.2


def test_rendered_rooms_are_unbounded(rendered):
    noise = np.random.default_rng(0)
    for photo in rendered.rglob("*.png"):
        Image.fromarray(noise.integers(0, 255, (32, 32, 3), np.uint8)).save(photo)
    assert open_blender(rendered).scene.unbounded


def test_lenses_of_blender_files_are_honoured(rendered):
    """fl_y, cx, cy of the file, and of one frame; distortion is undone."""
    for split in ("train", "val", "test"):
        edit_split(rendered, split, lambda v: v.update(fl_x=40.0, fl_y=48.0, cx=18.0, cy=14.0))
    edit_split(rendered, "train", lambda v: v["frames"][1].update(fl_x=44.0))
    intrinsics = open_blender(rendered).views("train").cameras.intrinsics
    assert intrinsics[0].tolist() == [40, 48, 18, 14] and intrinsics[1].tolist() == [44, 48, 18, 14]
    edit_split(rendered, "train", lambda v: v.update(k1=-0.2))
    assert open_blender(rendered).views("train").cameras.intrinsics[0, 0] != 40


@pytest.mark.parametrize("removed", ["json", "photos"])
def test_without_test_photos_every_8th_training_photo_is_one(rendered, removed):
    if removed == "json":
        (rendered / "transforms_test.json").unlink()
    else:
        for photo in (rendered / "test").iterdir():
            photo.unlink()
    source = open_blender(rendered)
    assert source.views("test").names == ("train/r_0.png", "train/r_8.png")
    assert len(source.views("train")) == 10
    assert any("test" in note for note in source.notes)


def test_a_moving_scene_is_said(rendered):
    edit_split(rendered, "train", lambda v: [f.update(time=i / 12) for i, f in enumerate(v["frames"])])
    source = open_blender(rendered)
    assert any("time" in note for note in source.notes)
    assert source.views("train").metadata[6].time == pytest.approx(0.5)


def test_novel_cameras_of_renderings_are_only_where_photos_are(rendered):
    """Photos on a quarter of the circle: none of the novel cameras is on the other three."""

    def quarter(values):
        for frame, pose in zip(values["frames"], orbit(len(values["frames"]), 0.4, math.pi / 2), strict=True):
            frame["transform_matrix"] = [*pose.tolist(), [0, 0, 0, 1]]

    for split in ("train", "val", "test"):
        edit_split(rendered, split, quarter)
    eyes = open_blender(rendered).sample_cameras(200, torch.Generator().manual_seed(0)).poses[:, :, 3]
    azimuth = torch.atan2(eyes[:, 1], eyes[:, 0])
    assert azimuth.min() > -0.5 and azimuth.max() < math.pi / 2 + 0.5
