"""The exporter keeps its contract with either kind of weights."""

from nfcore.testing import ExporterConformance


class TestWeb(ExporterConformance):
    component = "nfcore-web/web"


class TestWebWithFullWeights(ExporterConformance):
    component = "nfcore-web/web"
    options = {"weights": "fp32"}
