"""A trial of a training stage: its whole schedule in a moment, and how long the steps took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

import torch

from nfcore.errors import TrialOver
from nfcore.interfaces import Points, RaySource, Split, Views
from nfcore.interfaces.budget import Budget, Clock
from nfcore.interfaces.reporting import Reporter
from nfcore.io.tensors import State
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras

# A step that takes this many times as long as those around it does what few steps do, such as dividing a grid.
_RARE = 4.0
# Parts that a trial is divided into: a schedule has fewer.
_PARTS = 10
# Photos of a split that a trial reads, about.
_PHOTOS = 8


@dataclass(frozen=True)
class Moment(Budget):
    """All steps of a stage, whose schedules run through in a moment: coarse and fine grids have their share."""

    moment: float = 1.0

    def clock(self, spent: float = 0.0) -> Clock:
        """Start a clock that a moment of usual steps moves through the whole stage."""
        return _UsualTime(Budget(self.steps, self.moment, self.seed), time.monotonic() - spent)


class _UsualTime(Clock):
    """A clock that stands still in rare steps, which would leave the steps after them no part of a moment."""

    def __init__(self, budget: Budget, started: float) -> None:
        super().__init__(budget, started)
        self._last: float | None = None
        self._recent: list[float] = []
        self._usual = 0.0

    @property
    def spent(self) -> float:
        return self._usual

    def progress(self, step: int) -> float:
        now = time.monotonic()
        if self._last is not None:
            self._recent = [*self._recent[-2:], now - self._last]
        self._last = now
        if len(self._recent) == 3 and not _rare(*self._recent):
            self._usual += self._recent[1]
        return super().progress(step)


def _rare(before: float, seconds: float, after: float) -> bool:
    """Return whether a step took far longer than those around it."""
    return seconds > _RARE * median((before, seconds, after))


class FewPhotos(RaySource):
    """A source with some of its photos, evenly chosen: reading all of them would take longer than a trial."""

    def __init__(self, source: RaySource) -> None:
        super().__init__(source.options, source.image_size)
        self._source = source

    @property
    def name(self) -> str:
        """The name of the scene."""
        return self._source.name

    @property
    def scene(self) -> Scene:
        """The bounds of the scene."""
        return self._source.scene

    @property
    def points(self) -> Points | None:
        """The sparse points of the scene."""
        return self._source.points

    def views(self, split: Split) -> Views:
        """Return some of the photos of one split."""
        views = self._source.views(split)
        return views.chosen(range(0, len(views), max(1, len(views) // _PHOTOS)))

    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` novel cameras of the scene."""
        return self._source.sample_cameras(n, generator)


class Stopwatch(Reporter):
    """Notes when which step was done, and ends what takes more than ``seconds`` after its first step.

    The longest step does not count: it may be a rare one, with those of the finest grid still to come.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.marks: list[tuple[int, float]] = []
        self._longest = 0.0

    def start(self, total: int, unit: str = "step") -> None:
        """Note when the stage starts."""
        self.marks.append((0, time.monotonic()))

    def step(self, step: int, **scalars: float) -> None:
        """Note when a step was done."""
        self._mark(step)

    def checkpoint(self, step: int, state: Callable[[], State]) -> None:
        """Note when a step was done; nothing is kept."""
        self._mark(step)

    def _mark(self, step: int) -> None:
        self.marks.append((step, time.monotonic()))
        if len(self.marks) < 3:
            return
        self._longest = max(self._longest, self.marks[-1][1] - self.marks[-2][1])
        if self.marks[-1][1] - self.marks[1][1] - self._longest > self.seconds:
            raise TrialOver

    def speed(self) -> float | None:
        """Return the steps per second of the whole stage; None if no more than the first step was done.

        The first step is left out, as it may compile, and so are rare ones: a whole stage has no more of them, but
        far more of the others. The moment's clock gives each part of a schedule its share of the time, where the
        stage gives it that share of the steps: so a step counts by how long those around it take.
        """
        times = [
            (later - earlier) / (step - before)
            for (before, earlier), (step, later) in pairwise(self.marks)
            if step > before
        ]
        times = times[1:] or (times if self.marks[-1][0] > 1 else [])
        around = times[1:2] + times + times[-2:-1]  # those at the ends have one neighbour, twice
        neighbours = zip(around, times, around[2:], strict=False)
        usual = [seconds for before, seconds, after in neighbours if not _rare(before, seconds, after)] or times
        size = max(1, len(usual) // _PARTS)
        parts = [usual[first : first + size] for first in range(0, len(usual), size)]
        weighted = sum(sum(part) * fmean(part) for part in parts)
        return sum(usual) / weighted if weighted else None
