"""The learning rate over a training: a linear warm-up, then a fall to its last share."""

from __future__ import annotations

import math

import pytest

from nfcore.config.schema import TrainingConfig
from nfcore.training.schedules import rate_share


def config(**changes) -> TrainingConfig:
    return TrainingConfig(steps=100, **changes)


def test_the_rate_rises_linearly_from_its_first_step_to_its_highest():
    settings = config(warmup=0.1)
    rates = [rate_share(settings, step / 100, 1 / 100) for step in range(11)]
    # ten warm-up steps of one hundred: the eleventh step is the first at the full rate
    assert rates == pytest.approx([(step + 1) / 11 for step in range(11)])


def test_without_warm_up_the_first_rate_is_the_highest():
    assert rate_share(config(warmup=0.0), 0.0, 0.01) == 1.0


@pytest.mark.parametrize(
    ("schedule", "halfway"),
    # cosine: the mean of first and last rate; exponential: their geometric mean
    [("cosine", (1 + 0.01) / 2), ("exponential", math.sqrt(0.01))],
)
def test_the_rate_falls_to_its_last_share(schedule, halfway):
    settings = config(warmup=0.2, schedule=schedule, final_learning_rate=0.01)
    assert rate_share(settings, 0.2, 0.01) == pytest.approx(1.0)
    assert rate_share(settings, 0.6, 0.01) == pytest.approx(halfway)
    assert rate_share(settings, 1 - 1e-9, 0.01) == pytest.approx(0.01, rel=1e-3)
    rates = [rate_share(settings, p / 100, 0.01) for p in range(20, 100)]
    assert rates == sorted(rates, reverse=True)
