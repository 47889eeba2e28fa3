"""The exporter keeps its contract in every precision and form."""

import pytest

from nfcore.testing import ExporterConformance

pytestmark = pytest.mark.slow


class TestONNX(ExporterConformance):
    component = "nfcore-onnx/onnx"


class TestONNXInHalfPrecision(ExporterConformance):
    component = "nfcore-onnx/onnx"
    options = {"precision": "fp16"}


class TestONNXInTwoHalves(ExporterConformance):
    component = "nfcore-onnx/onnx"
    options = {"form": "split"}


class TestONNXWithWeightsInEightBits(ExporterConformance):
    component = "nfcore-onnx/onnx"
    options = {"precision": "int8"}


class TestONNXInEightBits(ExporterConformance):
    component = "nfcore-onnx/onnx"
    options = {"precision": "w8a8"}


class TestONNXOfRays(ExporterConformance):
    component = "nfcore-onnx/onnx"
    options = {"form": "rays"}
