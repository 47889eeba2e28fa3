"""The exporter keeps its contract with the intrinsics in the Sampler and as its input."""

import pytest

from nfcore.testing import ExporterConformance

pytestmark = pytest.mark.slow


class TestSnapML(ExporterConformance):
    component = "nfcore-snapml/snapml"


class TestSnapMLWithIntrinsics(ExporterConformance):
    component = "nfcore-snapml/snapml"
    options = {"intrinsics": "input"}
