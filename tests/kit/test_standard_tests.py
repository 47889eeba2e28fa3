"""Each standard test is failed by a wrong component that fails nothing else, and passed by a right one."""

from __future__ import annotations

import pytest
from collected import CASES, group

from nfcore.testing.base import standard_tests

KITS = {case.KIT.kind: case for case in CASES}
WRONG = [(kind, test) for kind, case in KITS.items() for test in case.WRONG]


@pytest.mark.parametrize("kind", KITS)
def test_every_standard_test_has_a_component_that_fails_it(kind):
    assert set(KITS[kind].WRONG) == set(standard_tests(KITS[kind].KIT))


@pytest.mark.parametrize("kind", KITS)
def test_a_right_component_passes_all_standard_tests(kind, outcomes):
    results = outcomes[group(kind, "")]
    assert {o.test for o in results} == set(standard_tests(KITS[kind].KIT))
    assert [o for o in results if o.result != "passed"] == []


@pytest.mark.parametrize(("kind", "test"), WRONG)
def test_a_wrong_component_fails_one_standard_test(kind, test, outcomes):
    failed = {o.test: o.reason for o in outcomes[group(kind, test)] if o.result != "passed"}
    assert set(failed) == {test}, failed


@pytest.mark.parametrize(("kind", "test"), WRONG)
def test_a_failure_says_which_sentence_is_broken_and_what_was_found(kind, test, outcomes):
    (reason,) = (o.reason for o in outcomes[group(kind, test)] if o.test == test)
    assert reason.startswith(f'the contract says "{standard_tests(KITS[kind].KIT)[test]}"')
    assert "found: " in reason
