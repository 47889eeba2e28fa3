"""The history of a stage: the figures that it reported, as data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from nfcore.interfaces.reporting import ForwardingReporter, Reporter


@dataclass(frozen=True)
class Record:
    """One report of a stage's progress.

    Args:
        step: the step, counted from 1.
        seconds: wall time since the stage started, or was resumed, in this process.
        figures: the reported figures, such as ``psnr`` (dB), ``loss`` and ``lr``.

    """

    step: int
    seconds: float
    figures: Mapping[str, float]


@dataclass(frozen=True)
class History:
    """All reports of a stage, in order; of a resumed stage, those since it resumed.

    >>> history = History((Record(10, 0.5, {"psnr": 21.0}), Record(20, 0.9, {"psnr": 23.5})))
    >>> history.values("psnr")
    [21.0, 23.5]
    """

    records: tuple[Record, ...]

    def values(self, name: str) -> list[float]:
        """Return the figure ``name`` of each report that has it."""
        return [record.figures[name] for record in self.records if name in record.figures]


class HistoryReporter(ForwardingReporter):
    """Forwards everything to another reporter, and records the steps.

    Args:
        reporter: the other reporter, if any.

    """

    def __init__(self, reporter: Reporter | None = None) -> None:
        super().__init__(reporter or Reporter())
        self.started = time.monotonic()
        self._records: list[Record] = []

    @property
    def history(self) -> History:
        """The reports so far."""
        return History(tuple(self._records))

    def step(self, step: int, **scalars: float) -> None:  # noqa: D102
        self._records.append(Record(step, time.monotonic() - self.started, scalars))
        super().step(step, **scalars)
