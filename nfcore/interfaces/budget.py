"""How much work a stage may do."""

from __future__ import annotations

import time
from dataclasses import dataclass

from nfcore.errors import UserError


@dataclass(frozen=True)
class Budget:
    """The work that a stage may do, and the seed of its random numbers.

    Args:
        steps: number of optimisation steps.
        seconds: end earlier, after this many seconds of wall time; schedules then follow the clock, so the
            result is not reproducible. None: only ``steps`` counts.
        seed: seed of the stage's generator.

    Raises:
        UserError: steps below 0, seconds that are not above 0, or a seed that is not a whole number.

    >>> Budget(steps=100).clock().progress(50)
    0.5

    """

    steps: int
    seconds: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.steps, int) or self.steps < 0:
            raise UserError(f"Budget: steps must be a whole number of 0 or more, not {self.steps!r}")
        if self.seconds is not None and not (isinstance(self.seconds, int | float) and self.seconds > 0):
            raise UserError(f"Budget: seconds must be a number above 0, or None, not {self.seconds!r}")
        if not isinstance(self.seed, int):
            raise UserError(f"Budget: seed must be a whole number, not {self.seed!r}")

    def clock(self, spent: float = 0.0) -> Clock:
        """Start the clock of a stage that has already used ``spent`` seconds before it was interrupted."""
        return Clock(self, time.monotonic() - spent)


@dataclass(frozen=True)
class Clock:
    """How much of a stage's budget is used."""

    budget: Budget
    started: float

    @property
    def spent(self) -> float:
        """Seconds of wall time used so far."""
        return time.monotonic() - self.started

    def progress(self, step: int) -> float:
        """Return the share of the budget that is used before ``step`` (from 0), in [0, 1]; at 1 the stage ends."""
        fraction = step / self.budget.steps if self.budget.steps else 1.0
        if self.budget.seconds is not None:
            fraction = max(fraction, self.spent / self.budget.seconds)
        return min(1.0, fraction)
