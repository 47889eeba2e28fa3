"""The exporter keeps its contract."""

import pytest

from nfcore.testing import ExporterConformance

pytestmark = pytest.mark.slow


class TestCoreML(ExporterConformance):
    component = "nfcore-coreml/coreml"


class TestCoreMLInTwoHalves(ExporterConformance):
    component = "nfcore-coreml/coreml"
    options = {"form": "split"}


class TestCoreMLInt8(ExporterConformance):
    component = "nfcore-coreml/coreml"
    options = {"precision": "int8"}


class TestCoreMLPalette(ExporterConformance):
    component = "nfcore-coreml/coreml"
    options = {"precision": "palette-6", "bits": {"backbone.head.0": 8}}


class TestCoreMLPalettesByGroup(ExporterConformance):
    component = "nfcore-coreml/coreml"
    options = {"precision": "grouped-6"}


class TestCoreMLOfRays(ExporterConformance):
    component = "nfcore-coreml/coreml"
    options = {"form": "rays"}
