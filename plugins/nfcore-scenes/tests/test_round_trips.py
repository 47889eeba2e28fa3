"""One scene, written in every layout and through every kind of lens, is read back as the same scene."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore import Cameras, RaySource
from nfcore_scenes.blender import Blender
from nfcore_scenes.blender_writer import write_blender
from nfcore_scenes.capture_writers import write_colmap, write_llff, write_transforms
from nfcore_scenes.colmap import Colmap
from nfcore_scenes.lenses import Lens
from nfcore_scenes.llff import Llff
from nfcore_scenes.photo_shoot import PHONE, PINHOLE, around_poses, forward_poses, shoot
from nfcore_scenes.procedural import Procedural
from nfcore_scenes.transforms import TransformsJson

pytestmark = pytest.mark.slow

FISHEYE = Lens("OPENCV_FISHEYE", 1000, 1000, (900.0, 900.0, 510.0, 490.0, 0.02, -0.01, 0.003, 0.0))
RADIAL = Lens("SIMPLE_RADIAL", 1000, 1000, (1200.0, 500.0, 500.0, 0.06))
SCENE = Procedural(Procedural.Options(train_views=4, val_views=0, test_views=1), 256)
PHOTOS, TAKEN, READ = 5, 256, 64


@dataclass
class Written:
    """A data set on disk: what reads it, and the poses of its photos by name."""

    source: RaySource
    poses: dict[str, Tensor]


def blender(folder):
    write_blender(SCENE, folder)
    poses = {
        f"{name}.png": pose
        for split in ("train", "test")
        for name, pose in zip(SCENE.views(split).names, SCENE.views(split).cameras.poses, strict=True)
    }
    return Written(Blender(Blender.Options(path=folder), READ), poses)


def llff(folder):
    taken = shoot(SCENE, forward_poses(PHOTOS), PINHOLE.scaled(TAKEN, TAKEN), alpha=False)
    write_llff(taken, folder)
    return Written(Llff(Llff.Options(path=folder), READ), dict(zip(taken.names, taken.poses, strict=True)))


def llff_around(folder):
    taken = shoot(SCENE, around_poses(PHOTOS), PINHOLE.scaled(TAKEN, TAKEN), alpha=False)
    write_llff(taken, folder)
    return Written(Llff(Llff.Options(path=folder), READ), dict(zip(taken.names, taken.poses, strict=True)))


def colmap(lens, text=False):
    def write(folder):
        taken = shoot(SCENE, around_poses(PHOTOS), lens.scaled(TAKEN, TAKEN), alpha=False)
        write_colmap(taken, folder, text=text)
        return Written(Colmap(Colmap.Options(path=folder), READ), dict(zip(taken.names, taken.poses, strict=True)))

    return write


def transforms(lens, alpha=False):
    def write(folder):
        taken = shoot(SCENE, around_poses(PHOTOS), lens.scaled(TAKEN, TAKEN), alpha=alpha)
        write_transforms(taken, folder)
        names = [f"images/{name}" for name in taken.names]
        source = TransformsJson(TransformsJson.Options(path=folder), READ)
        return Written(source, dict(zip(names, taken.poses, strict=True)))

    return write


LAYOUTS = {
    "blender": blender,
    "llff": llff,
    "llff around": llff_around,
    "colmap binary, pinhole": colmap(PINHOLE),
    "colmap text, phone": colmap(PHONE, text=True),
    "colmap binary, radial": colmap(RADIAL),
    "colmap binary, fisheye": colmap(FISHEYE),
    "transforms, phone": transforms(PHONE),
    "transforms, fisheye": transforms(FISHEYE),
    "transforms, phone, alpha": transforms(PHONE, alpha=True),
}


@pytest.fixture(scope="module", params=LAYOUTS.values(), ids=LAYOUTS.keys())
def written(request, tmp_path_factory) -> Written:
    return request.param(tmp_path_factory.mktemp("layout") / "scene")


def in_the_worlds_frame(read: Cameras, poses: Tensor) -> Tensor:
    """Return the poses that were read, moved to where the first of the written ``poses`` is, at their scale.

    A reader may move, turn and scale the world, and nothing else: one camera and one length fix that.
    """
    first, true = read.poses.double(), poses.double()
    scale = (true[1, :, 3] - true[0, :, 3]).norm() / (first[1, :, 3] - first[0, :, 3]).norm()
    turn = true[0, :, :3] @ first[0, :, :3].T
    positions = scale * turn @ (first[:, :, 3:] - first[:1, :, 3:]) + true[0, :, 3:]
    return torch.cat([turn @ first[:, :, :3], positions], 2)


def test_every_pose_is_the_one_that_was_written(written):
    views = written.source.views("train")
    true = torch.stack([written.poses[name] for name in views.names])
    found = in_the_worlds_frame(views.cameras, true)
    torch.testing.assert_close(found, true.double(), atol=1e-5, rtol=0)


def test_every_photo_is_what_its_camera_sees(written):
    """At least 45 dB between what was read, and the scene rendered exactly at the camera that was read."""
    views = written.source.views("train")
    poses = in_the_worlds_frame(views.cameras, torch.stack([written.poses[name] for name in views.names])).float()
    samples = 6
    side = READ * samples
    cameras = Cameras(poses, views.cameras.intrinsics * samples, side, side)
    for index in (0, len(views) - 1):
        fine = SCENE.render(cameras[index].rays().flat()).rgb.reshape(side, side, 3)
        truth = F.avg_pool2d(fine.permute(2, 0, 1), samples).permute(1, 2, 0)
        error = (truth - views.images[index]).square().mean()
        assert -10 * error.log10() >= 45, views.names[index]


def test_sparse_points_are_where_the_photos_show_their_colours(written):
    source, points = written.source, written.source.points
    assert (points is not None) == isinstance(source, Colmap | TransformsJson)
    if points is None:
        return
    assert points.positions.shape == points.colours.shape and len(points) > 100
    assert points.positions.dtype == points.colours.dtype == torch.float32
    views = source.views("train")
    difference = torch.full((len(views), len(points)), torch.inf)  # where a photo does not see a point
    for index, (pose, (fx, fy, cx, cy)) in enumerate(
        zip(views.cameras.poses, views.cameras.intrinsics, strict=True)
    ):
        x, y, z = ((points.positions - pose[:, 3]) @ pose[:, :3]).unbind(1)
        u, v = (cx - fx * x / z).long(), (cy + fy * y / z).long()
        inside = (z < 0) & (u >= 0) & (u < READ) & (v >= 0) & (v < READ)
        shown = views.images[index][v[inside], u[inside]]
        difference[index, inside] = (shown - points.colours[inside]).abs().mean(1)
    assert difference.amin(0).median() < 0.03  # texture is finer than the photos' pixels


def test_the_box_holds_the_things_and_near_and_far_enclose_them(written):
    """The scene is 2.3 wide and 1.2 high at most; its box is neither much larger nor does it cut anything off.

    LLFF's layout has no points, so its box is a guess; four silhouettes leave a lot more standing than there is.
    """
    source = written.source
    if source.scene.forward_facing:
        return
    low, high = torch.tensor(source.scene.box)
    scale = 1.0
    if isinstance(source, Llff):
        views = source.views("train")
        true = torch.stack([written.poses[name] for name in views.names])
        lengths = [(p[1, :, 3] - p[0, :, 3]).norm() for p in (true, views.cameras.poses)]
        scale = float(lengths[0] / lengths[1])
    size = float((high - low).max()) * scale
    cut_out = isinstance(source, TransformsJson) and source.views("train").alpha is not None
    assert (1.5 if isinstance(source, Llff) else 2.2) < size < (6 if cut_out else 3.5)
    assert source.scene.near * scale < 3 and source.scene.far * scale > 3
