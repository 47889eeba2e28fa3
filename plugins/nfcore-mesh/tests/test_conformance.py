"""The exporters keep their contract."""

import ball

from nfcore.testing import ExporterConformance


class TestMesh(ExporterConformance):
    component = "nfcore-mesh/mesh"
    options = {"resolution": 24, "texture": 128, "triangles": 1000}

    def model(self):
        return ball.model()


class TestPointCloud(ExporterConformance):
    component = "nfcore-mesh/points"
    options = {"points": 3000}

    def model(self):
        return ball.model()
