"""Each rule has a standard test and a wrong component that breaks just this rule; a right one keeps all."""

from __future__ import annotations

import pytest
from collected import CASES, group

from nfcore.interfaces.rules import RULES
from nfcore.testing.base import standard_tests

# All components are tested in one fixture: some minutes on a busy machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

KITS = {case.KIT.kind: case for case in CASES}
WRONG = [(kind, rule) for kind, case in KITS.items() for rule in case.WRONG]


def rules(kind: str) -> list[str]:
    return list(standard_tests(KITS[kind].KIT).values())


def test_every_rule_has_a_standard_test():
    assert {rule for kind in KITS for rule in rules(kind)} == set(RULES)


@pytest.mark.parametrize("kind", KITS)
def test_every_rule_has_one_test_and_a_component_that_breaks_it(kind):
    assert sorted(KITS[kind].WRONG) == sorted(rules(kind))


@pytest.mark.parametrize("kind", KITS)
def test_each_standard_test_says_why_it_is_there(kind):
    kit = KITS[kind].KIT
    assert [test for test in standard_tests(kit) if not getattr(kit, test).__doc__] == []


@pytest.mark.parametrize("kind", KITS)
def test_a_right_component_passes_all_standard_tests(kind, outcomes):
    results = outcomes[group(kind, "")]
    assert {o.rule for o in results} == set(rules(kind))
    assert [o for o in results if o.result != "passed"] == []


@pytest.mark.parametrize(("kind", "rule"), WRONG)
def test_a_wrong_component_breaks_one_rule(kind, rule, outcomes):
    failed = [o for o in outcomes[group(kind, rule)] if o.result != "passed"]
    assert {o.broken for o in failed} == {rule}, failed
    assert rule in {o.rule for o in failed}


@pytest.mark.parametrize(("kind", "rule"), WRONG)
def test_a_failure_quotes_the_rule_and_what_was_found(kind, rule, outcomes):
    for outcome in outcomes[group(kind, rule)]:
        if outcome.result != "passed":
            assert outcome.reason.startswith(f"{rule}: {RULES[rule]}\nfound: ")
