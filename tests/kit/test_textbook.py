"""Correct backbones from papers pass the kit; what they declare excuses no other fault."""

from __future__ import annotations

import pytest
import textbook

from nfcore.testing import BackboneConformance
from nfcore.testing.running import run_file


class TestSiren(BackboneConformance):
    component = textbook.Siren


class TestFiner(BackboneConformance):
    component = textbook.Finer


class TestRounded(BackboneConformance):
    component = textbook.Rounded
    stops_gradients = True


class TestDetachedAmplitude(BackboneConformance):
    component = textbook.DetachedAmplitude
    stops_gradients = True


class TestWire(BackboneConformance):
    component = textbook.Wire
    half_precision = False


WRONG_GRADIENT = """
class WrongGradient({base}):
    def forward(self, features):
        output = super().forward(features)
        return _Doubled.apply(output)


class _Doubled(torch.autograd.Function):
    @staticmethod
    def forward(context, values):
        return values.clone()

    @staticmethod
    def backward(context, gradient):
        return 2 * gradient
"""


@pytest.mark.parametrize(
    ("component", "stops"),
    [
        ("textbook.Rounded", False),
        ("textbook.DetachedAmplitude", False),
        ("WrongGradient", True),
        ("textbook.Siren", True),
    ],
    ids=[
        "undeclared rounding",
        "undeclared amplitude",
        "a wrong gradient next to a stopped one",
        "nothing to declare",
    ],
)
def test_gradients_that_are_not_as_declared_are_found(component, stops, tmp_path):
    path = tmp_path / "test_gradients.py"
    path.write_text(
        "import textbook, torch\nfrom nfcore.testing import BackboneConformance\n"
        + WRONG_GRADIENT.format(base="textbook.Rounded")
        + f"\n\nclass TestIt(BackboneConformance):\n    component = {component}\n    stops_gradients = {stops}\n"
    )
    collector = run_file(path)
    assert collector.errors == []
    failed = [o.test for o in collector.outcomes if o.result != "passed"]
    assert failed == ["test_its_gradients_agree_with_finite_differences"]
