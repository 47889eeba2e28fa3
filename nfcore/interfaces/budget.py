"""How much work a stage may do."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """The work that a stage may do, and the seed of its random numbers.

    Args:
        steps: number of optimisation steps.
        seconds: end earlier, after this many seconds of wall time; schedules then follow the clock, so the
            result is not reproducible. None: only ``steps`` counts.
        seed: seed of the stage's generator.

    """

    steps: int
    seconds: float | None = None
    seed: int = 0

    def clock(self, spent: float = 0.0) -> Clock:
        """Start the clock of a stage that has already used ``spent`` seconds before it was interrupted."""
        return Clock(self, time.monotonic() - spent)


@dataclass(frozen=True)
class Clock:
    """Tells a stage how far it is."""

    budget: Budget
    started: float

    @property
    def spent(self) -> float:
        """Seconds of wall time used so far."""
        return time.monotonic() - self.started

    def progress(self, step: int) -> float:
        """Return how much of the budget is used before ``step`` (from 0), in [0, 1]; at 1 the stage ends."""
        fraction = step / self.budget.steps if self.budget.steps else 1.0
        if self.budget.seconds is not None:
            fraction = max(fraction, self.spent / self.budget.seconds)
        return min(1.0, fraction)
