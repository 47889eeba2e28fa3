"""Observers of a teacher's fit: the views it uses, its reports, its checkpoints and its time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nfcore.interfaces import Split, Views
from nfcore.interfaces.reporting import Reporter
from nfcore.io.tensors import State, load_state, save_state
from nfcore.options import Options as BaseOptions
from nfcore.testing.contract import require
from nfcore.testing.sphere import ShadedSphere

#: Seconds that a fit may need beyond its budget, to start and to finish on a busy machine.
GRACE = 5.0


class Watched(ShadedSphere):
    """The sphere; records which splits are read."""

    def __init__(self, options: BaseOptions, image_size: int | None = None) -> None:
        super().__init__(options, image_size)
        self.splits_read: set[str] = set()

    def views(self, split: Split) -> Views:
        """Return the photos of one split."""
        self.splits_read.add(split)
        return super().views(split)


class Recorder(Reporter):
    """Records the reported steps."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def step(self, step: int, **scalars: float) -> None:
        """Record a step."""
        self.steps.append(step)


class Checkpoints(Reporter):
    """Saves the first state from step ``at`` on, through a file as a run does; ``state`` is resumed from."""

    def __init__(self, path: Any, at: int, state: State | None = None) -> None:
        self.path, self.at, self.state = path, at, state

    def restore(self) -> State | None:
        """Return the state to resume from."""
        return None if self.path else self.state

    def checkpoint(self, step: int, state: Callable[[], State]) -> None:
        """Save the state when it is time."""
        if self.path and self.state is None and step >= self.at:
            save_state(self.path, state())
            self.state = load_state(self.path)


class Deadline(Reporter):
    """Stops a fit that exceeds its seconds."""

    def __init__(self, started: float, seconds: float) -> None:
        self.started, self.seconds = started, seconds

    def step(self, step: int, **scalars: float) -> None:
        """Check the time."""
        require_in_time(self.started, self.seconds)

    def checkpoint(self, step: int, state: Callable[[], State]) -> None:
        """Check the time."""
        require_in_time(self.started, self.seconds)


def require_in_time(started: float, seconds: float) -> None:
    """Break the rule under test if far more than ``seconds`` have passed since ``started``."""
    spent = time.monotonic() - started
    require(
        spent <= seconds + GRACE,
        found=f"{spent:.1f} s were spent where the budget has {seconds:g}",
        right="while (progress := clock.progress(step)) < 1, with clock = budget.clock()",
    )
