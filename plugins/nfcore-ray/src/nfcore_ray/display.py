"""The display of a running sweep: a live list on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from nfcore_ray.run_status import RunStatus, counted

_LINE_SECONDS = 30.0


class Display:
    """Shows the number of finished runs, and the progress of running ones, on standard error.

    Args:
        quiet: show nothing.

    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self.live = Live(console=self.console, auto_refresh=False, transient=True)
        self.began = self.printed = time.monotonic()

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def note(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, soft_wrap=True, markup=False)

    def show(self, statuses: Iterable[RunStatus]) -> None:
        """Show the status of the runs, on a terminal at once, else about every half minute."""
        statuses = list(statuses)
        now = time.monotonic()
        head = f"sweep: {counted(statuses)}, {now - self.began:.0f} s"
        running = [status for status in statuses if status.state == "running"]
        if self.console.is_terminal:
            lines = [Text(f"  {status.run.name}  {_progress(status)}") for status in running]
            self.live.update(Group(Text(head, style="bold"), *lines), refresh=True)
        elif now - self.printed > _LINE_SECONDS:
            self.printed = now
            self.note("; ".join([head, *(f"{s.run.name} {_progress(s)}" for s in running)]))


def _progress(status: RunStatus) -> str:
    """Return a run's stage and step, with its PSNR if the stage reports one."""
    latest = status.latest()
    if not latest:
        return "starting"
    psnr = f" PSNR {latest['psnr']:.2f} dB" if "psnr" in latest else ""
    return f"{latest.get('stage', '')} {latest.get('step', '')}{psnr}"
