"""The components keep their contracts."""

import splat_ball
from splats import random_gaussians

from nfcore.testing import ExporterConformance, RaySourceConformance, TeacherConformance
from nfcore_splats.ply import write_ply


class TestScene(RaySourceConformance):
    component = "nfcore-splats/splats"

    def options_in(self, folder):
        path = folder / "blob.ply"
        path.write_bytes(write_ply(random_gaussians(150, degree=1)))
        return {"path": path, "train_views": 4, "val_views": 1, "test_views": 2}


class TestTeacher(TeacherConformance):
    component = "nfcore-splats/splats"
    options = {"splats": 600, "degree": 0}
    steps = 250


class TestExporter(ExporterConformance):
    component = "nfcore-splats/splats"
    options = {"splats": 1500, "degree": 1, "views": 12, "steps": 120}

    def model(self):
        return splat_ball.model()
