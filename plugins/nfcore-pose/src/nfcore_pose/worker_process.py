"""The worker from the command's side: started, listened to, and stopped at once on Ctrl-C."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from nfcore import NfcoreError, UserError
from nfcore_pose.job import DATABASE, Event

#: How often a waiting command looks for Ctrl-C, in seconds: on Windows nothing wakes it.
_TICK_SECONDS = 0.5
#: Bytes on the disk below which it counts as full.
_FULL = 1 << 24


class WorkerDiedError(NfcoreError):
    """The worker ended without an outcome."""


def run_worker(folder: Path, report: Callable[[Event], None]) -> None:
    """Reconstruct the photos in ``folder``; a database of an interrupted call that crashes COLMAP is rebuilt.

    Raises:
        UserError: the photos have no poses; says why.
        WorkerDiedError: COLMAP crashed, or the disk is full.

    """
    database = folder / DATABASE
    resumed = database.exists()
    try:
        _run_once(folder, report)
    except WorkerDiedError:
        if not resumed:
            raise
        for leftover in folder.glob(f"{DATABASE}*"):
            leftover.unlink()
        _run_once(folder, report)


def _run_once(folder: Path, report: Callable[[Event], None]) -> None:
    log = folder / "log.txt"
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - this Python, with a path as its only argument
            [sys.executable, "-m", "nfcore_pose.worker", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"},
            start_new_session=True,  # Ctrl-C at a terminal goes only to the command, which then ends the worker
        )
    failure = None
    try:
        for event in _events(process):
            if event.failure is not None:
                failure = event.failure
            else:
                report(event)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
    if failure is not None:
        raise UserError(failure)
    if process.returncode != 0:
        raise WorkerDiedError(_reason(folder, log))


def _events(process: subprocess.Popen[str]) -> Iterator[Event]:
    """Yield the worker's events until it has ended."""
    came: queue.Queue[str | None] = queue.Queue()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            came.put(line)
        came.put(None)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        try:
            line = came.get(timeout=_TICK_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            process.wait()
            return
        yield Event.model_validate_json(line)


def _reason(folder: Path, log: Path) -> str:
    if shutil.disk_usage(folder).free < _FULL:
        return f"no space left for {folder}: free some, the same command resumes"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = f": {lines[-1][:200]}" if lines else ""
    return f"COLMAP ended unexpectedly{last} (all of its output is in {log}); the same command tries again"
