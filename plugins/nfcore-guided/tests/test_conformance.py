"""The guided encoding keeps the contract of encodings, with its features in a volume and in planes."""

import pytest

from nfcore.testing import EncodingConformance

pytestmark = pytest.mark.slow


class TestGuided(EncodingConformance):
    component = "nfcore-guided/guided"
    options = {"resolution": 16, "steps": 12}


class TestGuidedPlanes(EncodingConformance):
    component = "nfcore-guided/guided"
    options = {"resolution": 16, "steps": 12, "lookup": "planes"}


class TestGuidedWithOnePoint(EncodingConformance):
    component = "nfcore-guided/guided"
    options = {"resolution": 8, "steps": 4, "points": 1, "channels": 3, "octaves": 0}
