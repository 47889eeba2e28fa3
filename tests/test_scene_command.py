"""``nfcore scene`` shows what was understood of a data set, and says what looks wrong."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from PIL import Image

import nfcore
from nfcore import Cameras, Scene, Views
from nfcore.dataset.plot import save_scene_picture
from nfcore.dataset.summary import kind, summarise, warnings
from nfcore.geometry.orbits import OrbitRegion

REGION = OrbitRegion(torch.zeros(3), torch.tensor([0.0, 0.0, 1.0]), radius=(4.0, 4.0), height=(0.2, 0.8))
BOX = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
SCENE = Scene(near=2, far=6, box=BOX)


class Shell(nfcore.RaySource):
    """Twelve photos from a shell around a box."""

    name = "shell"
    scene = SCENE

    def views(self, split):
        n = {"train": 12, "val": 0, "test": 3}[split]
        cameras = self.sample_cameras(n, torch.Generator().manual_seed(len(split)))
        images = torch.rand(n, 12, 16, 3, generator=torch.Generator().manual_seed(1))
        return Views(cameras, images, None, tuple(f"{split}-{i}" for i in range(n)))

    def sample_cameras(self, n, generator):
        poses = REGION.sample(n, generator)
        return Cameras(poses, torch.tensor([[20.0, 20, 8, 6]]).repeat(n, 1), 12, 16)


@pytest.fixture
def shell():
    return Shell(nfcore.Options())


def found(shell, scene=SCENE, **changes) -> list[str]:
    views = dataclasses.replace(shell.views("train"), **changes)
    return warnings(scene, views, shell.sample_cameras(20, torch.Generator().manual_seed(0)))


def with_poses(shell, poses):
    return Cameras(poses, shell.views("train").cameras.intrinsics, 12, 16)


def test_a_sound_scene_has_no_warnings(shell):
    summary = summarise(shell, "shell")
    assert summary["warnings"] == []
    assert summary["views"] == {"train": 12, "val": 0, "test": 3}
    assert (summary["width"], summary["height"], summary["scales"]) == (16, 12, [1, 2, 4])
    assert summary["kind"] == "bounded" and summary["alpha"] is False
    # 2 atan(8 / 20) and 2 atan(6 / 20)
    assert summary["field_of_view"]["horizontal"] == pytest.approx([43.6028] * 2, abs=1e-3)
    assert summary["field_of_view"]["vertical"] == pytest.approx([33.3985] * 2, abs=1e-3)
    assert summary["cameras"]["distance"] == pytest.approx([4, 4], abs=1e-4)
    json.dumps(summary)


def test_colmaps_axes_taken_for_opengls_are_noticed(shell):
    poses = shell.views("train").cameras.poses * torch.tensor([1.0, -1, -1, 1])
    (warning,) = [w for w in found(shell, cameras=with_poses(shell, poses)) if "look past" in w]
    assert warning.startswith("12 of 12 training photos (train-0, train-1, train-2, ...)") and "axes" in warning


def test_world_to_camera_poses_are_noticed(shell):
    poses = shell.views("train").cameras.poses
    turn = poses[:, :, :3].mT
    inverse = torch.cat([turn, -turn @ poses[:, :, 3:]], 2)
    assert any("look past" in warning for warning in found(shell, cameras=with_poses(shell, inverse)))


def test_one_camera_upside_down_is_named(shell):
    poses = shell.views("train").cameras.poses.clone()
    poses[4, :, :2] *= -1
    assert any("(train-4) are held upside down" in w for w in found(shell, cameras=with_poses(shell, poses)))


def test_cameras_in_the_box_and_a_box_behind_far_are_noticed(shell):
    large = SCENE.model_copy(update={"box": ((-9.0, -9.0, -9.0), (9.0, 9.0, 9.0))})
    assert any("inside the scene's box" in warning for warning in found(shell, large))
    assert any("novel cameras are inside" in warning for warning in found(shell, large))
    short = SCENE.model_copy(update={"far": 2.5})
    assert any("outside of near to far" in warning for warning in found(shell, short))


def test_blank_and_transparent_photos_and_few_of_them_are_noticed(shell):
    views = shell.views("train")
    assert any("one colour" in warning for warning in found(shell, images=torch.ones_like(views.images)))
    assert any("transparent" in warning for warning in found(shell, alpha=torch.zeros(12, 12, 16)))
    few = Views(views.cameras[:3], views.images[:3], None, views.names[:3])
    assert any("only 3 photos" in warning for warning in warnings(SCENE, few, views.cameras))


def test_zoomed_photos_are_noticed(shell):
    cameras = shell.views("train").cameras
    intrinsics = cameras.intrinsics.clone()
    intrinsics[0, :2] = 50
    zoomed = Cameras(cameras.poses, intrinsics, 12, 16)
    assert any("20 to 50 pixels" in warning for warning in found(shell, cameras=zoomed))


def test_a_scene_has_one_of_three_kinds():
    assert kind(SCENE) == "bounded"
    assert kind(SCENE.model_copy(update={"unbounded": True})) == "unbounded"
    assert kind(SCENE.model_copy(update={"forward_facing": True})) == "forward-facing"


@pytest.mark.parametrize("change", [{}, {"unbounded": True}, {"forward_facing": True}])
def test_the_picture_shows_the_box_in_the_photos(shell, tmp_path, change):
    shell.scene = SCENE.model_copy(update=change)
    save_scene_picture(shell, tmp_path / "scene.png")
    with Image.open(tmp_path / "scene.png") as picture:
        pixels = torch.frombuffer(bytearray(picture.convert("RGB").tobytes()), dtype=torch.uint8)
    orange = (pixels.reshape(-1, 3).int() - torch.tensor([255, 127, 14])).abs().sum(-1) < 20
    assert int(orange.sum()) > 500


def test_the_command_prints_a_table_json_and_a_picture(command, tmp_path):
    options = ("--set", "train_views=10", "--set", "test_views=2", "--image-size", "16")
    shown = command("scene", "procedural", *options, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "10 train" in shown.stdout and "16x16 pixels; student scales: 1, 2, 4, 8, 16" in shown.stdout
    shown = command("scene", "procedural", *options, "--json", "--picture", "p.png", cwd=tmp_path)
    assert json.loads(shown.stdout)["ray_source"] == "procedural"
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.width > 1000


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["scene", "nowhere/at/all"], "there is no file or folder nowhere/at/all"),
        (["scene", "procedural", "--set", "near"], "key=value"),
        (["scene", "procedural", "--set", "nearr=3"], "nearr"),
        (["scene", "procedural", "--picture", "a.txt"], ".png"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line(command, tmp_path, arguments, word):
    shown = command(*arguments, cwd=tmp_path)
    assert shown.returncode == 2
    assert word in shown.stderr and len(shown.stderr.splitlines()) == 1
