"""A standard test can be neither overridden nor dropped; its rule may be marked as broken, with a reason."""

from __future__ import annotations

import pytest

from nfcore.testing import BackboneConformance
from nfcore.testing.running import run_file

pytestmark = pytest.mark.slow


def test_overriding_a_standard_test_is_an_error_that_names_it():
    with pytest.raises(
        TypeError, match=r"TestMine overrides the standard test 'test_it_runs_in_half_precision'.*'network.half'"
    ):
        type("TestMine", (BackboneConformance,), {"test_it_runs_in_half_precision": lambda self: None})


def test_dropping_a_standard_test_is_an_error_that_names_it():
    with pytest.raises(TypeError, match="overrides the standard test 'test_it_runs_in_half_precision'"):
        type("TestMine", (BackboneConformance,), {"test_it_runs_in_half_precision": None})


def test_overriding_what_the_tests_stand_on_is_an_error():
    with pytest.raises(TypeError, match="overrides 'inputs' of the conformance kit"):
        type("TestMine", (BackboneConformance,), {"inputs": lambda self: ()})


def test_tests_of_the_authors_own_may_be_added():
    type("TestMine", (BackboneConformance,), {"test_it_is_mine": lambda self: None})


def test_an_unknown_known_failure_is_an_error_with_the_nearest_name():
    with pytest.raises(TypeError, match=r"no rule 'network.hal'; did you mean 'network.half'"):
        type("TestMine", (BackboneConformance,), {"xfail": {"network.hal": "slow"}})


def test_a_known_failure_needs_a_reason():
    with pytest.raises(TypeError, match="needs a reason"):
        type("TestMine", (BackboneConformance,), {"xfail": {"network.half": " "}})


HALF = """
import pytest
import right
from nfcore.testing import BackboneConformance
from wrong_parts import wrong_networks

HALF = "network.half"
"""


def results(tmp_path, text: str) -> dict[str, list]:
    path = tmp_path / "test_marked.py"
    path.write_text(HALF + text)
    collector = run_file(path)
    return {"errors": collector.errors, "outcomes": [o for o in collector.outcomes if o.result != "passed"]}


def test_a_known_failure_is_reported_with_its_reason(tmp_path):
    found = results(
        tmp_path,
        "class TestMine(BackboneConformance):\n"
        "    component = wrong_networks(right.Backbone)[HALF]\n"
        "    xfail = {HALF: 'it has an op that knows no half'}\n",
    )
    assert [(o.result, o.reason) for o in found["outcomes"]] == [
        ("expected to fail", "it has an op that knows no half")
    ]


def test_a_known_failure_that_passes_is_a_failure(tmp_path):
    found = results(
        tmp_path,
        "class TestMine(BackboneConformance):\n    component = right.Backbone\n    xfail = {HALF: 'no half'}\n",
    )
    assert [(o.result, "XPASS" in o.reason) for o in found["outcomes"]] == [("failed", True)]


def test_skipping_a_class_is_an_error(tmp_path):
    found = results(
        tmp_path, "@pytest.mark.skip\nclass TestMine(BackboneConformance):\n    component = right.Backbone\n"
    )
    assert "can't be skipped" in found["errors"][0]
