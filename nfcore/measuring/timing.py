"""Interleaved timing: each round times every candidate once, so that noise affects all equally."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from nfcore.interfaces.reporting import Reporter
from nfcore.measuring.energy import EnergyMeter

#: Pause between two candidates, after which threads that spin for more work, as ONNX Runtime's do, are asleep.
_PAUSE_SECONDS = 0.005

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Timing:
    """The times of one candidate.

    Args:
        seconds: the time of each round, in order; at least one.
        joules: mean energy of a round, of all that ran on the processor; None if the machine does not tell.

    """

    seconds: tuple[float, ...]
    joules: float | None = None

    @property
    def median(self) -> float:
        """The median, seconds."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and third quartile, seconds."""
        if len(self.seconds) == 1:
            return self.seconds[0], self.seconds[0]
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return low, high


def interleaved(
    candidates: Mapping[Name, Callable[[], object]],
    rounds: int,
    reporter: Reporter | None = None,
    meter: EnergyMeter | None = None,
) -> dict[Name, Timing]:
    """Return the times of each candidate over ``rounds``, after one warm-up round, and its energy by ``meter``."""
    reporter = reporter or Reporter()
    reporter.start(rounds, "round")
    times: dict[Name, list[float]] = {name: [] for name in candidates}
    joules = dict.fromkeys(candidates, 0.0)
    for turn in range(rounds + 1):
        for name, call in candidates.items():
            before = meter.joules() if meter else 0.0
            seconds = _timed(call)
            if turn:
                times[name].append(seconds)
                joules[name] += meter.joules() - before if meter else 0.0
        reporter.step(turn)
    return {
        name: Timing(tuple(values), joules[name] / rounds if meter else None) for name, values in times.items()
    }


def rounds_within(
    candidates: Mapping[Name, Callable[[], object]], seconds: float, least: int = 5, most: int = 200
) -> int:
    """Return how many rounds take about ``seconds`` for each candidate, estimated from its second call."""
    for call in candidates.values():
        call()
    one_round = sum(_timed(call) for call in candidates.values())
    return min(max(int(seconds * len(candidates) / one_round), least), most)


def _timed(call: Callable[[], object]) -> float:
    time.sleep(_PAUSE_SECONDS)
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
