"""The exporter keeps its contract."""

import bakeable
import pytest

from nfcore.testing import ExporterConformance

pytestmark = pytest.mark.slow


class TestWebGL(ExporterConformance):
    component = "nfcore-webgl/webgl"

    def model(self):
        return bakeable.model()


class TestWebGLWithAllBits(ExporterConformance):
    component = "nfcore-webgl/webgl"
    options = {"psnr": None}

    def model(self):
        return bakeable.model("contracted")
