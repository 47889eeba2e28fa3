"""The status of each run of a sweep, for table, report and display."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from nfcore import UserError
from nfcore.runs import read_reports
from nfcore_ray.messages import Event
from nfcore_ray.plan import Planned, figures_if_finished

#: ``running``: a worker has started it. An interrupted sweep leaves runs in the first two states.
State = Literal["waiting", "running", "done", "failed"]

# The last two lines of metrics.jsonl are shorter than this.
_LINE_BYTES = 2000


@dataclass
class RunStatus:
    """The status of one run.

    Args:
        run: the run.
        state: waiting, running, done or failed.
        attempts: number of finished attempts in this sweep; 0 if it was finished before.
        error: its last error, in one line.
        figures: its ``summary.json``, once it is finished.

    """

    run: Planned
    state: State = "waiting"
    attempts: int = 0
    error: str | None = None
    figures: dict[str, Any] | None = None

    def take(self, event: Event) -> None:
        """Update the status with an attempt that has ended."""
        self.attempts = event.attempt
        self.error = event.outcome.error
        if event.kind == "again":
            self.state = "waiting"
        elif self.error is not None:
            self.state = "failed"
        else:
            self.take_figures(figures_if_finished(self.run.folder))

    def take_figures(self, figures: dict[str, Any] | None) -> None:
        """Update the status with the run's summary if it is finished."""
        if figures is not None:
            self.state, self.figures = "done", figures

    def figure(self, name: str) -> float | None:
        """Return a figure of the summary, None if it was not measured."""
        value = (self.figures or {}).get(name)
        return float(value) if isinstance(value, int | float) else None

    def psnr(self) -> float | None:
        """Return PSNR on the test views in dB: of the student, or of the teacher of a run without one."""
        student = self.figure("student.test.psnr")
        return self.figure("teacher.test.psnr") if student is None else student

    def latest(self) -> dict[str, Any]:
        """Return the last line of the run's ``metrics.jsonl``: its stage, its step, figures such as ``psnr``."""
        try:
            reports = read_reports(self.run.folder / "metrics.jsonl", _LINE_BYTES)
        except UserError:  # replaced by something else: only the display needs it
            return {}
        return {"stage": reports[-1].stage, "step": reports[-1].step} | reports[-1].scalars if reports else {}

    def line(self) -> str:
        """Return the outcome of the run in one line."""
        if self.state == "waiting":
            return f"{self.run.name}: {self.error}; it is tried again"
        if self.state == "failed":
            return f"{self.run.name}: failed: {self.error}"
        psnr = self.psnr()
        return f"{self.run.name}: done" + (f", PSNR {psnr:.2f} dB" if psnr is not None else "")


def counted(statuses: Iterable[RunStatus]) -> str:
    """Return the number of runs in each state, such as ``3 of 8 done, 2 running, 1 failed``."""
    states = Counter(status.state for status in statuses)
    others = [f"{states[state]} {state}" for state in ("running", "waiting", "failed") if states[state]]
    return ", ".join([f"{states['done']} of {states.total()} done", *others])
