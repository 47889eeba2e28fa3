"""What watches a teacher while it is fitted: which views it takes, what it reports, its checkpoints, the time."""

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

#: Seconds that a fit may need beyond its budget, to begin and to end on a busy machine.
GRACE = 2.0


class Watched(ShadedSphere):
    """The sphere; notes which splits are asked for."""

    def __init__(self, options: BaseOptions, image_size: int | None = None) -> None:
        super().__init__(options, image_size)
        self.asked: set[str] = set()

    def views(self, split: Split) -> Views:
        """Return the photos of one split."""
        self.asked.add(split)
        return super().views(split)


class Recorder(Reporter):
    """Notes the steps that are reported."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def step(self, step: int, **scalars: float) -> None:
        """Note a step."""
        self.steps.append(step)


class Checkpoints(Reporter):
    """Takes the first state from step ``at`` on, through a file as a run does; gives ``state`` to go on from."""

    def __init__(self, path: Any, at: int, state: State | None = None) -> None:
        self.path, self.at, self.state = path, at, state

    def restore(self) -> State | None:
        """Return the state that it was made with."""
        return None if self.path else self.state

    def checkpoint(self, step: int, state: Callable[[], State]) -> None:
        """Take the state when it is time."""
        if self.path and self.state is None and step >= self.at:
            save_state(self.path, state())
            self.state = load_state(self.path)


class Impatient(Reporter):
    """Breaks off a fit that overruns its seconds."""

    def __init__(self, started: float, seconds: float) -> None:
        self.started, self.seconds = started, seconds

    def step(self, step: int, **scalars: float) -> None:
        """Look at the clock."""
        require_in_time(self.started, self.seconds)

    def checkpoint(self, step: int, state: Callable[[], State]) -> None:
        """Look at the clock."""
        require_in_time(self.started, self.seconds)


def require_in_time(started: float, seconds: float) -> None:
    """Break the rule that is being tested once far more than ``seconds`` have passed since ``started``."""
    spent = time.monotonic() - started
    require(
        spent <= seconds + GRACE,
        found=f"{spent:.1f} s were spent where the budget has {seconds:g}",
        right="while (progress := clock.progress(step)) < 1, with clock = budget.clock()",
    )
