"""Layouts that are only read: each has the poses, lenses and bounds with which it was written."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from raw_exports import write_idr, write_nsvf, write_polycam, write_record3d

import nfcore
from nfcore.plugin.scene_detection import recognised
from nfcore_scenes.idr import Idr
from nfcore_scenes.nsvf import Nsvf
from nfcore_scenes.photo_shoot import PINHOLE, around_poses, shoot
from nfcore_scenes.polycam import Polycam
from nfcore_scenes.procedural import Procedural
from nfcore_scenes.record3d import Record3d

LENS = PINHOLE.scaled(32, 32)


@pytest.fixture(scope="module")
def taken():
    return shoot(Procedural(Procedural.Options()), around_poses(10), LENS, alpha=False)


@pytest.fixture(scope="module")
def cut_out():
    return shoot(Procedural(Procedural.Options()), around_poses(10), LENS, alpha=True)


def cameras_of(source):
    """All cameras in the order of the photos' names."""
    views = [source.views(split) for split in ("train", "val", "test")]
    named = {
        n: (p, i) for v in views for n, p, i in zip(v.names, v.cameras.poses, v.cameras.intrinsics, strict=True)
    }
    key = {name: int("".join(filter(str.isdigit, name.partition("_")[2] or name))) for name in named}
    ordered = [named[name] for name in sorted(named, key=key.__getitem__)]
    return torch.stack([pose for pose, _ in ordered]), torch.stack([intrinsics for _, intrinsics in ordered])


def check(source, poses):
    found, intrinsics = cameras_of(source)
    torch.testing.assert_close(found, poses, atol=1e-5, rtol=0)
    focal, cx, cy = LENS.params
    assert intrinsics[0].tolist() == pytest.approx([focal, focal, cx, cy], rel=1e-5)


@pytest.mark.parametrize("listed", [False, True], ids=["matrix", "list"])
def test_nsvf_has_its_poses_splits_and_box(cut_out, tmp_path, listed):
    write_nsvf(cut_out, tmp_path / "n", listed=listed)
    source = Nsvf(Nsvf.Options(path=tmp_path / "n"))
    check(source, cut_out.poses)
    assert source.views("test").names == ("2_0000.png", "2_0005.png") and len(source.views("train")) == 8
    low, high = torch.tensor(source.scene.box)
    assert (
        not source.scene.unbounded and (low >= torch.tensor([-1.3, -1.3, -0.8]) - 0.1).all() and high.max() < 1.4
    )
    assert recognised(tmp_path / "n", nfcore.plugins()) == "nsvf"


def test_idr_has_its_poses_in_the_unit_sphere_of_the_object(cut_out, tmp_path):
    write_idr(cut_out, tmp_path / "d")
    source = Idr(Idr.Options(path=tmp_path / "d"))
    poses = cut_out.poses.clone()
    poses[:, :, 3] /= 1.5
    check(source, poses)
    assert torch.tensor(source.scene.box).abs().max() < 1.02 and not source.scene.unbounded
    assert recognised(tmp_path / "d", nfcore.plugins()) == "idr"


def test_idrs_photos_keep_their_poses_if_one_is_deleted(cut_out, tmp_path):
    write_idr(cut_out, tmp_path / "d")
    (tmp_path / "d" / "image" / "003.png").unlink()
    views = Idr(Idr.Options(path=tmp_path / "d")).views("train")
    poses = cut_out.poses.clone()
    poses[:, :, 3] /= 1.5
    for name, pose in zip(views.names, views.cameras.poses, strict=True):
        assert pose == pytest.approx(poses[int(name.removesuffix(".png"))], abs=1e-4)


def test_idrs_photos_without_a_mask_are_left_out_and_counted(cut_out, tmp_path):
    write_idr(cut_out, tmp_path / "d")
    (tmp_path / "d" / "mask").mkdir()
    for photo in sorted((tmp_path / "d" / "image").iterdir())[:-1]:
        shutil.copy(photo, tmp_path / "d" / "mask" / photo.name)
    (note,) = Idr(Idr.Options(path=tmp_path / "d")).notes
    assert "1 of 10" in note and "009.png" in note


def test_polycam_has_its_poses_with_z_up(taken, tmp_path):
    write_polycam(taken, tmp_path / "p")
    source = Polycam(Polycam.Options(path=tmp_path / "p"))
    check(source, taken.poses)
    assert source.scene.unbounded and recognised(tmp_path / "p", nfcore.plugins()) == "polycam"


def test_record3d_has_its_poses_upright(taken, tmp_path):
    """The world is turned upright and moved, so distances between cameras and heights stay."""
    write_record3d(taken, tmp_path / "r")
    source = Record3d(Record3d.Options(path=tmp_path / "r"))
    found, intrinsics = cameras_of(source)
    torch.testing.assert_close(
        torch.cdist(found[:, :, 3], found[:, :, 3]),
        torch.cdist(taken.poses[:, :, 3], taken.poses[:, :, 3]),
        atol=1e-4,
        rtol=0,
    )
    heights = taken.poses[:, 2, 3]
    torch.testing.assert_close(found[:, 2, 3] - found[0, 2, 3], heights - heights[0], atol=0.02, rtol=0)
    assert intrinsics[0, 0] == pytest.approx(LENS.params[0])
    assert recognised(tmp_path / "r", nfcore.plugins()) == "record3d"


def test_record3d_photos_have_the_lens_of_their_own_frame(taken, tmp_path, refusal):
    write_record3d(taken, tmp_path / "r")
    file = tmp_path / "r" / "metadata.json"
    values = json.loads(file.read_text())
    focal, cx, cy = LENS.params[0], LENS.width / 2, LENS.height / 2
    own = [[focal + index, focal + index, cx, cy] for index in range(len(taken))]
    file.write_text(json.dumps({**values, "perFrameIntrinsicCoeffs": own}))
    source = Record3d(Record3d.Options(path=tmp_path / "r", test_every=5))
    for split, frames in (("train", (1, 2, 3, 4, 6, 7, 8, 9)), ("test", (0, 5))):
        focals = source.views(split).cameras.intrinsics[:, 0].tolist()
        assert focals == pytest.approx([focal + index for index in frames])
    for fault, named in (
        (own[1:], "perFrameIntrinsicCoeffs"),
        ([[0.0] * 4] * len(taken), "perFrameIntrinsicCoeffs"),
    ):
        file.write_text(json.dumps({**values, "perFrameIntrinsicCoeffs": fault}))
        refusal(lambda: Record3d(Record3d.Options(path=tmp_path / "r")), "metadata.json", named)


def test_photos_without_a_pose_are_left_out_and_counted(taken, tmp_path):
    write_record3d(taken, tmp_path / "r")
    file = tmp_path / "r" / "metadata.json"
    values = json.loads(file.read_text())
    values["poses"][4] = [0.0] * 7
    file.write_text(json.dumps(values))
    write_polycam(taken, tmp_path / "p")
    (tmp_path / "p" / "keyframes" / "cameras" / "1004.json").unlink()
    write_nsvf(taken, tmp_path / "n")
    (tmp_path / "n" / "pose" / "0_0004.txt").write_text("-inf " * 16)
    for source, name in (
        (Record3d(Record3d.Options(path=tmp_path / "r")), "4.png"),
        (Polycam(Polycam.Options(path=tmp_path / "p")), "1004.png"),
        (Nsvf(Nsvf.Options(path=tmp_path / "n")), "0_0004.png"),
    ):
        (note,) = source.notes
        assert "1 of 10" in note and name in note


def test_damaged_files_are_refused(taken, cut_out, tmp_path, refusal):
    write_nsvf(cut_out, tmp_path / "n")
    (tmp_path / "n" / "pose" / "0_0001.txt").write_text("1 2 3")
    refusal(lambda: Nsvf(Nsvf.Options(path=tmp_path / "n")), "0_0001.txt", "not 3")
    (tmp_path / "n" / "pose" / "0_0001.txt").write_text("a b c")
    refusal(lambda: Nsvf(Nsvf.Options(path=tmp_path / "n")), "0_0001.txt", "numbers")
    write_idr(cut_out, tmp_path / "d")
    np.savez(tmp_path / "d" / "cameras.npz", world_mat_0=np.zeros((4, 4)))
    refusal(lambda: Idr(Idr.Options(path=tmp_path / "d")), "world_mat_0", "projection")
    (tmp_path / "d" / "cameras.npz").write_bytes(b"PK\3\4 nothing")
    refusal(lambda: Idr(Idr.Options(path=tmp_path / "d")), "cameras.npz", "damaged")
    write_polycam(taken, tmp_path / "p")
    (tmp_path / "p" / "keyframes" / "cameras" / "1001.json").write_text('{"fx": -1}')
    refusal(lambda: Polycam(Polycam.Options(path=tmp_path / "p")), "1001.json", "fx")
    write_record3d(taken, tmp_path / "r")
    (tmp_path / "r" / "metadata.json").write_text('{"poses": []}')
    refusal(lambda: Record3d(Record3d.Options(path=tmp_path / "r")), "metadata.json", "poses")
    shutil.rmtree(tmp_path / "r" / "rgb")
    refusal(lambda: Record3d(Record3d.Options(path=tmp_path / "r")), "metadata.json", "photos:")
