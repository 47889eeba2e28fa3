"""The ray sources keep their contract."""

from nfcore.testing import RaySourceConformance
from nfcore_scenes.blender_writer import write_blender
from nfcore_scenes.procedural import Procedural

FEW = {"train_views": 3, "val_views": 1, "test_views": 1}


class TestProcedural(RaySourceConformance):
    component = "nfcore-scenes/procedural"
    options = FEW


class TestBlender(RaySourceConformance):
    component = "nfcore-scenes/blender"

    def options_in(self, folder):
        write_blender(Procedural(Procedural.Options(**FEW), 24), folder / "still-life")
        return {"path": folder / "still-life"}
