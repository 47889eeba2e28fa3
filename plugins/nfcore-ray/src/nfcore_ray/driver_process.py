"""The driver as a child process: sends it orders and receives its events."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from nfcore_ray.messages import Event, Orders

_TICK_SECONDS = 1.0
_STOP_SECONDS = 20.0


class DriverProcess:
    """Runs ``nfcore_ray.driver`` within a context; at its end all Ray tasks are stopped.

    Args:
        orders: its orders.
        log: the file for the output of the driver and Ray.

    """

    def __init__(self, orders: Orders, log: Path) -> None:
        self.log = log
        self._came: queue.Queue[Event | None] = queue.Queue()
        # A session of its own: Ctrl-C at a terminal goes only to the command, which then ends the driver.
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "nfcore_ray.driver"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                start_new_session=True,
            )
        assert self.process.stdin is not None
        self.process.stdin.write(orders.model_dump_json() + "\n")
        self.process.stdin.flush()

    def __enter__(self) -> DriverProcess:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def events(self) -> Iterator[Event | None]:
        """Yield events as they arrive, and None about every second, until the driver has ended."""
        while True:
            try:
                event = self._came.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                yield None
                continue
            if event is None:
                return
            yield event
            if self._came.empty():
                yield None

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._came.put(Event.model_validate_json(line))
        self._came.put(None)
