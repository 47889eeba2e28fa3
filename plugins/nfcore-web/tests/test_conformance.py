"""The exporter keeps its contract with either kind of weights."""

import pytest

from nfcore.testing import ExporterConformance

pytestmark = pytest.mark.slow


class TestWeb(ExporterConformance):
    component = "nfcore-web/web"


class TestWebWithFullWeights(ExporterConformance):
    component = "nfcore-web/web"
    options = {"weights": "fp32"}
