"""Configurations that nfcore 0.1 wrote still load; an option that did change the training says what to do."""

from __future__ import annotations

import pytest

from nfcore import UserError
from nfcore.config.schema import DistillConfig
from nfcore.options import parse

DEFAULTS_OF_0_1 = {"ema": 0.0, "anywhere": 0.1, "compile": False}


@pytest.mark.parametrize("compiled", [False, True])
def test_what_changed_nothing_is_ignored(compiled):
    old = {"steps": 10, **DEFAULTS_OF_0_1, "clip": None, "compile": compiled}
    assert parse(DistillConfig, old, "config.toml") == DistillConfig(steps=10)


@pytest.mark.parametrize(("name", "value"), [("ema", 0.99), ("clip", 1.0), ("anywhere", 1.0)])
def test_what_changed_the_training_is_refused_by_name(name, value):
    with pytest.raises(UserError, match=f"config.toml: .*{name} = {value} was removed.*delete it"):
        parse(DistillConfig, {"steps": 10, name: value}, "config.toml")


def test_a_constant_rate_is_an_exponential_one_that_ends_where_it_began():
    config = parse(DistillConfig, {"steps": 10, "schedule": "constant"}, "config.toml")
    assert (config.schedule, config.final_learning_rate) == ("exponential", 1.0)
