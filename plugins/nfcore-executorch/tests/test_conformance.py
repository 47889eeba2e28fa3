"""The exporter keeps its contract."""

from nfcore.testing import ExporterConformance


class TestExecuTorch(ExporterConformance):
    component = "nfcore-executorch/executorch"
