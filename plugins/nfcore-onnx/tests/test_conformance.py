"""The exporter keeps its contract in both precisions."""

from nfcore.testing import ExporterConformance


class TestONNX(ExporterConformance):
    component = "nfcore-onnx/onnx"


class TestONNXInHalfPrecision(ExporterConformance):
    component = "nfcore-onnx/onnx"
    options = {"precision": "fp16"}


class TestONNXInTwoHalves(ExporterConformance):
    component = "nfcore-onnx/onnx"
    options = {"form": "split"}
