"""Real captures: the forward-facing fern and the beer can, where they are at hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from nfcore.spaces import Space
from nfcore_scenes.colmap import Colmap
from nfcore_scenes.llff import Llff

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
FERN, BEER = DATA / "nerf_llff_data" / "fern", DATA / "colmap" / "beer"

needs_fern = pytest.mark.skipif(not FERN.is_dir(), reason=f"the LLFF scene fern is not in {FERN}")
needs_beer = pytest.mark.skipif(not BEER.is_dir(), reason=f"the COLMAP scene beer is not in {BEER}")


@pytest.fixture(scope="module")
def fern():
    return Llff(Llff.Options(path=FERN), 252)


@pytest.fixture(scope="module")
def beer():
    return Colmap(Colmap.Options(path=BEER), 160)


@needs_fern
def test_fern_is_forward_facing_with_17_train_and_3_test_views_of_252x189(fern):
    assert fern.scene.forward_facing
    assert [len(fern.views(split)) for split in ("train", "val", "test")] == [17, 0, 3]
    assert fern.views("test").names == ("image000.png", "image008.png", "image016.png")
    assert fern.views("train").images.shape == (17, 189, 252, 3)


@needs_fern
def test_ferns_focal_length_is_that_of_the_file_scaled(fern):
    """3260.526 pixels for 4032x3024 photos: a sixteenth."""
    assert fern.views("train").cameras.intrinsics[0].tolist() == pytest.approx(
        [203.783, 203.783, 126, 94.5], abs=1e-3
    )


@needs_fern
def test_ferns_bounds_are_those_of_the_file_scaled(fern):
    """The depths go from 16.985 to 80.002: near is .75 of the least, far 80.002 / (16.985 * .75) times that."""
    assert (fern.scene.near, fern.scene.far) == pytest.approx((1, 80.002 / (16.985296 * 0.75)), rel=1e-4)


@needs_fern
def test_ferns_mean_camera_is_at_the_origin_and_looks_along_minus_z(fern):
    poses = torch.cat([fern.views(split).cameras.poses for split in ("train", "test")])
    assert poses[:, :, 3].mean(0).abs().max() < 1e-5
    assert F.normalize(poses[:, :, 2].mean(0), dim=0)[2] > 0.9999
    assert (poses[:, :, 1] @ torch.tensor([0.0, 1.0, 0.0]) > 0.95).all()


@needs_fern
def test_neighbouring_photos_of_fern_agree_on_a_plane(fern):
    """Right poses bring photos together: warped by a plane at the fern's depth, they match better."""
    views = fern.views("train")
    errors = {}
    for moved in (True, False):
        error = []
        for one, other in ((5, 6), (9, 10), (13, 14)):
            points = views.cameras[one].rays().flat()
            points = points.origins + 1.9 * points.directions
            pose = views.cameras.poses[other]
            local = (points - pose[:, 3]) @ pose[:, :3]
            fx, fy, cx, cy = views.cameras.intrinsics[other]
            u, v = cx - fx * local[:, 0] / local[:, 2], cy + fy * local[:, 1] / local[:, 2]
            grid = torch.stack([2 * u / 252 - 1, 2 * v / 189 - 1], -1).reshape(1, 189, 252, 2)
            photo = views.images[other].permute(2, 0, 1)[None]
            seen = F.grid_sample(photo, grid, align_corners=False)[0] if moved else photo[0]
            error.append((seen - views.images[one].permute(2, 0, 1))[:, 40:150, 60:190].square().mean())
        errors[moved] = float(torch.stack(error).mean())
    assert errors[True] < 0.75 * errors[False]


@needs_fern
def test_what_ferns_cameras_see_is_in_the_cube_of_ndc(fern):
    rays = fern.views("train").cameras.rays().flat()
    corners = Space.of(fern.scene).coordinates(rays.origins, rays.directions, torch.linspace(0, 1, 9))
    for axis in corners:
        assert axis.min() > -1.1 and axis.max() < 1.1


@needs_beer
def test_the_beer_can_is_unbounded_with_62_train_and_9_test_views_of_90x160(beer):
    assert beer.scene.unbounded and not beer.scene.forward_facing
    assert [len(beer.views(split)) for split in ("train", "val", "test")] == [62, 0, 9]
    assert beer.views("train").images.shape == (62, 160, 90, 3)


@needs_beer
def test_the_beer_cans_world_stands_upright_on_the_can(beer):
    train = beer.views("train").cameras
    assert (train.poses[:, 2, 3] > 1).all(), "all photos were taken from above"
    assert (train.poses[:, 2, 1] > 0.5).all(), "and held upright"
    low, high = torch.tensor(beer.scene.box)
    assert (low < 0).all() and (high > 0).all()
    assert (high - low).max() < 4 < train.poses[:, :, 3].norm(dim=-1).min()


@needs_beer
def test_novel_views_of_the_beer_can_stay_near_the_photos(beer):
    known = beer.views("train").cameras.poses[:, :, 3]
    novel = beer.sample_cameras(500, torch.Generator().manual_seed(0)).poses[:, :, 3]
    # Neighbours on the walk are up to 1.2 units apart.
    assert torch.cdist(novel, known).amin(1).max() < 1.2


@needs_beer
def test_the_beer_cans_lens_is_undone_exactly(beer):
    """SIMPLE_RADIAL with k = .0578 pincushions: the pinhole's focal length is a little larger than the lens's."""
    focal = beer.views("test").cameras.intrinsics[0, 0] * 8
    assert 1105.13 < focal < 1105.13 * 1.08
