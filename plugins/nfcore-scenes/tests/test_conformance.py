"""The ray sources keep their contract."""

from raw_exports import write_idr, write_nsvf, write_polycam, write_record3d

from nfcore.testing import RaySourceConformance
from nfcore_scenes.blender_writer import write_blender
from nfcore_scenes.capture_writers import write_colmap, write_llff, write_transforms
from nfcore_scenes.photo_shoot import PHONE, PINHOLE, around_poses, forward_poses, shoot
from nfcore_scenes.procedural import Procedural

FEW = {"train_views": 3, "val_views": 1, "test_views": 1}
PHOTOS = 10


def taken(poses, lens, alpha=False):
    return shoot(Procedural(Procedural.Options(**FEW)), poses, lens.scaled(32, 32), alpha)


class TestProcedural(RaySourceConformance):
    component = "nfcore-scenes/procedural"
    options = FEW


class TestBlender(RaySourceConformance):
    component = "nfcore-scenes/blender"

    def options_in(self, folder):
        write_blender(Procedural(Procedural.Options(**FEW), 24), folder / "still-life")
        return {"path": folder / "still-life"}


class TestLlff(RaySourceConformance):
    component = "nfcore-scenes/llff"

    def options_in(self, folder):
        write_llff(taken(forward_poses(PHOTOS), PINHOLE), folder / "still-life")
        return {"path": folder / "still-life"}


class TestColmap(RaySourceConformance):
    component = "nfcore-scenes/colmap"

    def options_in(self, folder):
        write_colmap(taken(around_poses(PHOTOS), PHONE), folder / "still-life")
        return {"path": folder / "still-life", "hold_out": 4}


class TestTransforms(RaySourceConformance):
    component = "nfcore-scenes/transforms"

    def options_in(self, folder):
        write_transforms(taken(around_poses(PHOTOS), PHONE), folder / "still-life")
        return {"path": folder / "still-life"}


class TestTransformsWithAlpha(RaySourceConformance):
    component = "nfcore-scenes/transforms"

    def options_in(self, folder):
        write_transforms(taken(around_poses(PHOTOS), PHONE, alpha=True), folder / "still-life")
        return {"path": folder / "still-life"}


class TestNsvf(RaySourceConformance):
    component = "nfcore-scenes/nsvf"

    def options_in(self, folder):
        write_nsvf(taken(around_poses(PHOTOS), PINHOLE, alpha=True), folder / "still-life")
        return {"path": folder / "still-life"}


class TestIdr(RaySourceConformance):
    component = "nfcore-scenes/idr"

    def options_in(self, folder):
        write_idr(taken(around_poses(PHOTOS), PINHOLE, alpha=True), folder / "still-life")
        return {"path": folder / "still-life"}


class TestPolycam(RaySourceConformance):
    component = "nfcore-scenes/polycam"

    def options_in(self, folder):
        write_polycam(taken(around_poses(PHOTOS), PINHOLE), folder / "still-life")
        return {"path": folder / "still-life"}


class TestRecord3d(RaySourceConformance):
    component = "nfcore-scenes/record3d"

    def options_in(self, folder):
        write_record3d(taken(around_poses(PHOTOS), PINHOLE), folder / "still-life")
        return {"path": folder / "still-life"}
