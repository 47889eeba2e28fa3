"""The exporter keeps its contract in all precisions."""

import pytest

from nfcore.testing import ExporterConformance

pytestmark = pytest.mark.slow


class TestOpenVINO(ExporterConformance):
    component = "nfcore-openvino/openvino"


class TestOpenVINOWithHalvedWeights(ExporterConformance):
    component = "nfcore-openvino/openvino"
    options = {"precision": "fp16"}


class TestOpenVINOWithWeightsOfEightBits(ExporterConformance):
    component = "nfcore-openvino/openvino"
    options = {"precision": "int8"}


class TestOpenVINOInBfloat16(ExporterConformance):
    component = "nfcore-openvino/openvino"
    options = {"inference": "bf16"}
