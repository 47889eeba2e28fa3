"""Learning rate schedules: a warm-up, then a decay from the highest rate to the last."""

from __future__ import annotations

import math

from nfcore.config.schema import TrainingConfig


def rate_share(config: TrainingConfig, progress: float, one_step: float) -> float:
    """Return the learning rate as a share of the highest, in (0, 1].

    Args:
        config: ``schedule``, ``warmup`` and ``final_learning_rate``.
        progress: how much of the training is done, in [0, 1).
        one_step: the progress of one step, so that the first step's rate is not zero.

    """
    if progress < config.warmup:
        return (progress + one_step) / (config.warmup + one_step)
    after = (progress - config.warmup) / (1 - config.warmup)
    last = config.final_learning_rate
    if config.schedule == "cosine":
        return last + (1 - last) * (1 + math.cos(math.pi * after)) / 2
    return math.pow(last, after)
