"""The exporter keeps its contract."""

import pytest

from nfcore.testing import ExporterConformance

pytestmark = pytest.mark.slow


class TestExecuTorch(ExporterConformance):
    component = "nfcore-executorch/executorch"
