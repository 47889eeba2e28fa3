"""Execution of a sweep: skips finished runs, sends the others to the driver, and writes a report."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from nfcore import NfcoreError, UserError
from nfcore.io import write_atomic
from nfcore.plugin import plugin_folders
from nfcore_ray.display import Display
from nfcore_ray.driver_process import DriverProcess
from nfcore_ray.messages import STATE, Event, Orders, Task
from nfcore_ray.plan import Planned, figures_if_finished
from nfcore_ray.report import write_report
from nfcore_ray.run_status import RunStatus, counted
from nfcore_ray.sweep_file import SweepFile


class Sweep:
    """All runs of a sweep file, in one folder.

    Args:
        file: the sweep file's content: resources, retries.
        runs: its planned runs.
        folder: the folder of the runs, the report and the log.

    """

    def __init__(self, file: SweepFile, runs: list[Planned], folder: Path) -> None:
        self.file = file
        self.folder = folder
        self.state = folder / STATE
        self.statuses = {run.name: RunStatus(run) for run in runs}
        for status in self.statuses.values():
            status.take_figures(figures_if_finished(status.run.folder))

    @property
    def counts(self) -> str:
        """The number of runs in each state."""
        return counted(self.statuses.values())

    def do(self, address: str | None, display: Display) -> None:
        """Execute the unfinished runs; one that fails does not stop the others.

        Args:
            address: a cluster's head, ``auto``, or None to start Ray on this machine.
            display: shows the progress.

        Raises:
            UserError: another process executes this sweep, or no machine has the resources of a run.
            NfcoreError: the cluster can't be reached, or is gone. Finished runs are kept and reported.

        """
        self.state.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.state / "sweep.lock").acquire(timeout=0):
                self._do(address, display)
        except Timeout:
            raise UserError(f"{self.folder}: another 'nfcore sweep' works here: wait for it, or stop it") from None

    def _do(self, address: str | None, display: Display) -> None:
        tasks = [self._task(s.run) for s in self.statuses.values() if s.state == "waiting"]
        for task in tasks:
            task.started.unlink(missing_ok=True)
        self.write_report()
        if not tasks:
            return
        orders = Orders(tasks=tuple(tasks), retries=self.file.retries, address=address)
        try:
            with DriverProcess(orders, self.state / "ray.log") as driver:
                for event in driver.events():
                    if event is None:
                        self._look(tasks)
                        display.show(self.statuses.values())
                    else:
                        self._take(event, display)
            left = [s for s in self.statuses.values() if s.state in ("waiting", "running")]
            if left:
                raise self._cut_off(f"the process that talks to Ray has ended; its log is {driver.log}")
        finally:
            self.write_report()

    def _task(self, run: Planned) -> Task:
        return Task(
            name=run.name,
            folder=self.folder.absolute(),
            config=run.config.model_dump(mode="json", exclude_none=True),
            sources=run.sources,
            arguments=tuple(sys.argv[1:]),
            **self.file.resources.model_dump(),
            cwd=Path.cwd(),
            environment={name: value for name, value in os.environ.items() if name.startswith("NFCORE_")},
            plugin_folders=tuple(folder.absolute() for folder in plugin_folders()),
        )

    def _look(self, tasks: list[Task]) -> None:
        """Update the status of runs that workers have started."""
        for task in tasks:
            status = self.statuses[task.name]
            if status.state == "waiting" and task.started.exists():
                status.state = "running"

    def _take(self, event: Event, display: Display) -> None:
        """Update the status of a run with an event."""
        if event.kind == "note":
            display.note(event.text)
        elif event.kind == "refused":
            raise UserError(event.text)
        elif event.kind == "lost":
            raise self._cut_off(event.text)
        else:
            status = self.statuses[event.run]
            status.take(event)
            if event.outcome.trace:
                write_atomic(self.state / f"{event.run}.error.txt", event.outcome.trace)
            display.note(status.line())
            self.write_report()

    def _cut_off(self, why: str) -> NfcoreError:
        return NfcoreError(f"{why}: {self.counts}; the same command resumes the rest")

    def write_report(self) -> None:
        """Write ``sweep.json`` and ``report.md``."""
        write_report(self.folder, list(self.statuses.values()))
