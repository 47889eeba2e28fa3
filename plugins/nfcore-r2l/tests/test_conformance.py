"""The network keeps the contract of its kind."""

from nfcore.testing import BackboneConformance


class TestResMLP(BackboneConformance):
    component = "nfcore-r2l/res-mlp"
    options = {"depth": 6, "width": 16}
