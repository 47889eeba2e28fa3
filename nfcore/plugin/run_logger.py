"""The base of plugins that log runs elsewhere: the run hooks, passed to one log for each run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nfcore.hookspecs import hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class RunLog(Protocol):
    """One run as a tracking service or a file format has it. Its stages run one after another."""

    def start(self, stage: str) -> None:
        """Start or continue the log of a stage, which may resume after an interruption."""

    def scalars(self, stage: str, step: int, scalars: Mapping[str, float]) -> None:
        """Add a point to each curve at ``step``."""

    def image(self, stage: str, step: int, name: str, image: Tensor) -> None:
        """Add a preview: (height, width, 3) float32 RGB in [0, 1]."""

    def finish(self, stage: str, figures: Mapping[str, object]) -> None:
        """Add the figures of a finished stage: numbers, strings, booleans."""

    def fail(self, stage: str, error: str) -> None:
        """Say in one line why a stage failed, and close the log; the next stage opens a new one."""


class RunLogger:
    """A plugin object that implements the run hooks: passes what a run reports to a log of its own.

    Args:
        open_log: makes the log of the run in a folder, when its first stage starts, or returns None to log
            nothing. Import what is heavy here: an entry point that names a logger is loaded by every command.

    Example:
        >>> from nfcore.plugin import RunLogger
        >>> class Lines:
        ...     def __init__(self, folder): self.file = folder / "steps.txt"
        ...     def start(self, stage): pass
        ...     def scalars(self, stage, step, scalars):
        ...         with self.file.open("a") as file: print(stage, step, scalars, file=file)
        ...     def image(self, stage, step, name, image): pass
        ...     def finish(self, stage, figures): pass
        ...     def fail(self, stage, error): pass
        >>> logger = RunLogger(Lines)  # what the entry point names

    """

    def __init__(self, open_log: Callable[[Path], RunLog | None]) -> None:
        self.open_log = open_log
        self.logs: dict[Path, RunLog] = {}

    @hookimpl
    def nfcore_stage_started(self, run: Path, stage: str) -> None:
        """Open the run's log, unless there is one."""
        log = self.logs.get(run) or self.open_log(run)
        if log is not None:
            self.logs[run] = log
            log.start(stage)

    @hookimpl
    def nfcore_step(self, run: Path, stage: str, step: int, scalars: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        if run in self.logs:
            self.logs[run].scalars(stage, step, scalars)

    @hookimpl
    def nfcore_images(self, run: Path, stage: str, step: int, name: str, image: Tensor) -> None:
        """Add a preview."""
        if run in self.logs:
            self.logs[run].image(stage, step, name, image)

    @hookimpl
    def nfcore_stage_finished(self, run: Path, stage: str, figures: Mapping[str, object]) -> None:
        """Add the stage's figures."""
        if run in self.logs:
            self.logs[run].finish(stage, figures)

    @hookimpl
    def nfcore_run_failed(self, run: Path, stage: str, error: str) -> None:
        """Add the error and forget the log."""
        if run in self.logs:
            self.logs.pop(run).fail(stage, error)
