"""What a person sees while a sweep works: a live list on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from nfcore_ray.standing import Standing, counted

_LINE_SECONDS = 30.0


class Display:
    """Shows on standard error how many runs are done, and how far those are that a worker has begun.

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
        """Show one line that stays."""
        self.console.print(text, soft_wrap=True, markup=False)

    def show(self, standings: Iterable[Standing]) -> None:
        """Show where the runs stand, on a terminal at once, else about every half minute."""
        standings = list(standings)
        now = time.monotonic()
        head = f"sweep: {counted(standings)}, {now - self.began:.0f} s"
        running = [standing for standing in standings if standing.state == "running"]
        if self.console.is_terminal:
            lines = [Text(f"  {standing.run.name}  {_progress(standing)}") for standing in running]
            self.live.update(Group(Text(head, style="bold"), *lines), refresh=True)
        elif now - self.printed > _LINE_SECONDS:
            self.printed = now
            self.note("; ".join([head, *(f"{s.run.name} {_progress(s)}" for s in running)]))


def _progress(standing: Standing) -> str:
    """Return a run's stage and step, with its PSNR if the stage reports one."""
    latest = standing.latest()
    if not latest:
        return "begins"
    psnr = f" PSNR {latest['psnr']:.2f} dB" if "psnr" in latest else ""
    return f"{latest.get('stage', '')} {latest.get('step', '')}{psnr}"
