"""The progress display of a run: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderResult
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
from rich.segment import ControlType, Segment
from rich.text import Text

from nfcore.interfaces.reporting import Reporter
from nfcore.runtime import memory
from nfcore.runtime.plain_text import plain

if TYPE_CHECKING:
    from torch import Tensor

    from nfcore.ui.terminal_pictures import Protocol

_LINE_SECONDS = 10.0
# Figures for metrics.jsonl and plots that would be noise in the display.
_FOR_FILES = ("loss", "lr")
_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


class _Rate(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="dim")


class _Memory(ProgressColumn):
    """Memory of this process and on the GPU, while the stage runs."""

    max_refresh = 1.0

    def render(self, task: Task) -> Text:
        return Text("" if task.finished else memory.in_words(), style="dim")


class _Inline:
    """An escape sequence that rich passes on as it is."""

    def __init__(self, sequence: str) -> None:
        self.sequence = sequence

    def __rich_console__(self, console: RichConsole, options: ConsoleOptions) -> RenderResult:
        # Any control code marks the text as one; which one matters only on old Windows consoles.
        yield Segment(self.sequence, None, [(ControlType.CARRIAGE_RETURN,)])


class Console:
    """Shows the progress of stages on standard error, so that results on standard output can be piped.

    Args:
        quiet: show nothing at all; a console within a quiet one is quiet too, such as that of a ray source.
        pictures: show previews too, if the terminal is known to support them.

    Raises:
        UserError: ``NFCORE_PICTURES`` is not a protocol.

    >>> with Console(quiet=True) as console:
    ...     console.start("teach", total=100, unit="step")
    ...     console.step(10, psnr=24.5)

    """

    def __init__(self, *, quiet: bool = False, pictures: bool = True) -> None:
        quiet = quiet or _QUIET.get()
        self.quiet = quiet
        self.rich = RichConsole(stderr=True, quiet=quiet, highlight=False)
        self.live = self.rich.is_terminal and not quiet
        # The environment can make rich treat a file as a terminal, for colours; but a file can't show pictures.
        self.protocol = _protocol() if pictures and self.live and sys.stderr.isatty() else None
        self.progress = Progress(
            TextColumn("{task.description:<9}", style="bold", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            _Rate(),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            _Memory(),
            console=self.rich,
            disable=not self.live,
        )
        self.task: TaskID | None = None
        self.stage, self.unit, self.total = "", "step", 0
        self.started = self.printed = 0.0
        self.first, self.counted = -1, 0.0

    def __enter__(self) -> Console:
        self.outer = _QUIET.set(self.quiet)
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        _QUIET.reset(self.outer)

    def start(self, stage: str, total: int, unit: str) -> None:
        """Start to show ``stage``, which has ``total`` steps, or views, as ``unit`` says."""
        self.stage, self.unit, self.total = stage, unit, total
        self.started = self.printed = time.monotonic()
        self.first = -1
        self.task = self.progress.add_task(plain(stage), total=total, figures="")

    def step(self, step: int, **figures: float) -> None:
        """Show that ``step`` of the total are done, with some figures."""
        text = "  ".join(_figure(plain(name), value) for name, value in figures.items() if name not in _FOR_FILES)
        if self.task is not None and self.live:
            self.progress.update(self.task, completed=step, figures=text)
            return
        now = time.monotonic()
        if self.first < 0:
            # A stage that resumes does not start at 0: its rate is measured from here.
            self.first, self.counted = step, now
        if now - self.printed > _LINE_SECONDS or step == self.total:
            self.printed = now
            done, seconds = step - self.first, now - self.counted
            rate = done / seconds if seconds > 0 else 0.0
            parts = [f"{self.stage}: {self.unit} {step}/{self.total}", text, f"{now - self.started:.0f} s"]
            if rate and step < self.total:
                parts += [f"{rate:.1f}/s", f"{(self.total - step) / rate:.0f} s left"]
            self._print("  ".join(part for part in [*parts, memory.in_words()] if part))

    def note(self, text: str) -> None:
        """Show one line that stays."""
        self._print(text)

    def image(self, image: Tensor) -> None:
        """Show a picture (height, width, 3) float32 RGB in [0, 1], if the terminal is known to support it."""
        if self.protocol is not None:
            from nfcore.io.images import to_bytes
            from nfcore.ui.terminal_pictures import inline

            self.rich.print(_Inline(inline(to_bytes(image), self.protocol)), end="", crop=False)

    def _print(self, line: str) -> None:
        self.rich.print(plain(line), soft_wrap=True, markup=False)


class ConsoleReporter(Reporter):
    """Shows a stage that is not part of a run.

    Args:
        console: the progress display.
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

    def image(self, name: str, image: Tensor) -> None:  # noqa: D102
        self.console.image(image)


def _protocol() -> Protocol | None:
    from nfcore.ui.terminal_pictures import protocol_of  # numpy and Pillow, which plain lines don't need

    return protocol_of()


def _figure(name: str, value: float) -> str:
    return f"PSNR {value:.2f} dB" if name == "psnr" else f"{name} {value:.4g}"
