from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from nfcore_scenes.blender import Blender

LEGO = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "nerf_synthetic" / "lego"

pytestmark = pytest.mark.skipif(not LEGO.is_dir(), reason=f"the NeRF-synthetic scene lego is not in {LEGO}")


@pytest.fixture(scope="module")
def lego():
    return Blender(Blender.Options(path=LEGO), 100)


def test_lego_has_100_train_and_25_test_views_and_no_val(lego):
    assert [len(lego.views(split)) for split in ("train", "val", "test")] == [100, 0, 25]
    assert lego.views("test").names[:2] == ("test/r_0.png", "test/r_8.png")


def test_legos_photos_are_whole_and_on_white(lego):
    views = lego.views("train")
    assert views.images.shape == (100, 100, 100, 3)
    assert views.images.min() >= 0 and views.images.max() <= 1
    assert torch.equal(views.images[views.alpha == 0], torch.ones_like(views.images[views.alpha == 0]))
    assert 0.1 < views.alpha.mean() < 0.5


def test_legos_poses_are_rigid_on_a_sphere_that_they_look_into(lego):
    poses = lego.views("train").cameras.poses
    rotation, centre = poses[:, :, :3], poses[:, :, 3]
    assert torch.allclose(rotation.transpose(1, 2) @ rotation, torch.eye(3).expand(100, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(100), atol=1e-5)
    assert torch.allclose(centre.norm(dim=1), torch.tensor(4.0311), atol=1e-3)
    assert torch.allclose(rotation[:, :, 2], centre / 4.0311, atol=1e-3)  # the axis -z points to the origin


def test_the_ray_through_the_image_centre_of_legos_first_photo_is_where_its_matrix_says(lego):
    camera = lego.views("train").cameras[0]
    # Third and fourth column of r_0's transform_matrix in transforms_train.json.
    backward = torch.tensor([-0.013345719315111637, 0.95394366979599, 0.29968830943107605])
    centre = torch.tensor([-0.05379832163453102, 3.845470428466797, 1.2080823183059692])
    rays = camera.rays()
    middle = rays.directions[0, 49:51, 49:51].mean((0, 1))  # the centre is the corner that four pixels share
    assert torch.allclose(middle, -backward, atol=1e-6)
    assert torch.allclose(rays.origins[0, 50, 50], centre)
    assert camera.intrinsics[0].tolist() == pytest.approx([138.8889, 138.8889, 50, 50], abs=1e-3)


def test_the_edge_of_legos_photos_is_half_the_field_of_view_off_the_axis(lego):
    camera = lego.views("train").cameras[0]
    left, right = camera.rays().directions[0, 50, 0], camera.rays().directions[0, 50, 99]
    slope = math.tan(0.6911112070083618 / 2) * 99 / 100  # of the outermost pixels' centres
    assert ((right - left).norm() / 2).item() == pytest.approx(slope, abs=1e-5)


def test_novel_cameras_stay_in_the_shell_of_legos_training_cameras(lego):
    heights = lego.views("train").cameras.poses[:, 2, 3]
    novel = lego.sample_cameras(200, torch.Generator().manual_seed(0)).poses[:, :, 3]
    assert heights.min() - 0.01 <= novel[:, 2].min() and novel[:, 2].max() <= heights.max() + 0.01
    assert torch.allclose(novel.norm(dim=1), torch.tensor(4.0311), atol=0.02)
