"""The parts of the student keep the contracts of their kinds."""

from nfcore.testing import BackboneConformance, EncodingConformance, LossConformance, UpsamplerConformance


class TestPoints(EncodingConformance):
    component = "nfcore-mobiler2l/points"


class TestPointsInTheBox(EncodingConformance):
    component = "nfcore-mobiler2l/points"
    options = {"span": "box"}


class TestResidualConv(BackboneConformance):
    component = "nfcore-mobiler2l/residual-conv"
    options = {"depth": 6, "width": 16}


class TestResidualLinear(BackboneConformance):
    component = "nfcore-mobiler2l/residual-conv"
    options = {"depth": 6, "width": 16, "layer": "linear"}


class TestTransposedConv(UpsamplerConformance):
    component = "nfcore-mobiler2l/transposed-conv"


class TestPixelShuffle(UpsamplerConformance):
    component = "nfcore-mobiler2l/pixel-shuffle"


class TestMeanSquaredError(LossConformance):
    component = "nfcore-mobiler2l/mse"
