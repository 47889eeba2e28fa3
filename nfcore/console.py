"""What a person sees while a run works: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console as RichConsole
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from nfcore.reporting import Reporter

_LINE_SECONDS = 10.0
# Figures that belong in metrics.jsonl and in plots: on a line that a person watches they would be noise.
_FOR_FILES = ("loss", "lr")


class _Rate(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="dim")


class Console:
    """Shows the progress of stages on standard error, so that results on standard output can be piped.

    Args:
        quiet: show nothing at all.

    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.rich = RichConsole(stderr=True, quiet=quiet, highlight=False)
        self.live = self.rich.is_terminal and not quiet
        self.progress = Progress(
            TextColumn("[bold]{task.description:<9}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            _Rate(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.rich,
            disable=not self.live,
        )
        self.task: TaskID | None = None
        self.stage, self.unit, self.total = "", "step", 0
        self.began = self.printed = 0.0

    def __enter__(self) -> Console:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def start(self, stage: str, total: int, unit: str) -> None:
        """Begin to show ``stage``, which has ``total`` steps, views or whatever ``unit`` says."""
        self.stage, self.unit, self.total = stage, unit, total
        self.began = self.printed = time.monotonic()
        self.task = self.progress.add_task(stage, total=total, figures="")

    def step(self, step: int, **figures: float) -> None:
        """Show that ``step`` of the total are done, with figures."""
        text = "  ".join(_figure(name, value) for name, value in figures.items() if name not in _FOR_FILES)
        if self.task is not None and self.live:
            self.progress.update(self.task, completed=step, figures=text)
        elif time.monotonic() - self.printed > _LINE_SECONDS or step == self.total:
            self.printed = time.monotonic()
            elapsed = self.printed - self.began
            self._print(f"{self.stage}: {self.unit} {step}/{self.total}  {text}  {elapsed:.0f} s")

    def note(self, text: str) -> None:
        """Show one line that stays."""
        self._print(text)

    def _print(self, line: str) -> None:
        self.rich.print(line, soft_wrap=True, markup=False)


class ConsoleReporter(Reporter):
    """Shows a stage that belongs to no run.

    Args:
        console: what a person sees.
        stage: the stage's name.

    """

    def __init__(self, console: Console, stage: str) -> None:
        self.console = console
        self.stage = stage

    def start(self, total: int, unit: str = "step") -> None:  # noqa: D102
        self.console.start(self.stage, total, unit)

    def step(self, step: int, **scalars: float) -> None:  # noqa: D102
        self.console.step(step, **scalars)

    def note(self, text: str) -> None:  # noqa: D102
        self.console.note(text)


def _figure(name: str, value: float) -> str:
    return f"PSNR {value:.2f} dB" if name == "psnr" else f"{name} {value:.4g}"
