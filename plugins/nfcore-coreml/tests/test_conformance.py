"""The exporter keeps its contract."""

from nfcore.testing import ExporterConformance


class TestCoreML(ExporterConformance):
    component = "nfcore-coreml/coreml"


class TestCoreMLInTwoHalves(ExporterConformance):
    component = "nfcore-coreml/coreml"
    options = {"form": "split"}
