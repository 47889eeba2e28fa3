"""A guard around code of plugins: what it prints goes to standard error, what it changes globally is restored."""

from __future__ import annotations

import concurrent.futures.thread
import os
import sys
import threading
import time
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from typing import Any

from nfcore.plugin.process_state import unchanged

#: Seconds that a thread that a plugin left running may take until the process ends.
THREAD_SECONDS = 10.0

#: Threads that plugins started while they were imported or called, which keep the process alive.
_left: list[threading.Thread] = []


@contextmanager
def guarded(*, filters: bool = True, random: bool = True) -> Iterator[None]:
    """Run code of a plugin: its output goes to standard error, since standard output may be read as JSON.

    What it changes for the whole process is put back, see ``unchanged``, and so are the standard streams.

    Args:
        filters: whether warning filters are put back too; libraries may set some when they are imported.
        random: whether torch's random numbers are; a component draws its weights from them.

    """
    with ExitStack() as stack:
        stack.callback(_end_fork, os.getpid())
        stack.callback(_keep_new_threads, set(threading.enumerate()))
        stack.enter_context(output_to_stderr())
        stack.enter_context(unchanged(filters=filters, random=random))
        yield


def _end_fork(process: int) -> None:
    """End a copy of the process that a plugin made: it would do the command a second time."""
    if os.getpid() != process:
        os._exit(0)


def _keep_new_threads(before: set[threading.Thread]) -> None:
    # Threads of a pool that wait for work are ended by Python itself; a process that keeps its pools is no fault.
    pooled: Container[object] = getattr(concurrent.futures.thread, "_threads_queues", ())
    _left.extend(thread for thread in threading.enumerate() if thread not in before and thread not in pooled)


def _restore_streams(out: Any, error: Any) -> None:
    """Put back the standard streams; one that a plugin has closed is opened again."""
    sys.stdout, sys.stderr = (
        open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        if getattr(stream, "closed", False)
        else stream
        for number, stream in ((1, out), (2, error))
    )


@contextmanager
def output_to_stderr() -> Iterator[None]:
    """Redirect standard output to standard error: that of Python, of C code and of child processes."""
    with ExitStack() as stack:
        stack.callback(_restore_streams, sys.stdout, sys.stderr)
        stack.enter_context(redirect_stdout(sys.stderr))
        with suppress(OSError, ValueError, AttributeError):  # a stream that is closed, or is no file
            _flush()
            for number in (1, 2):
                stack.callback(_back, os.dup(number), number)
            os.dup2(2, 1)
        yield


def _back(kept: int, number: int) -> None:
    _flush()
    os.dup2(kept, number)
    os.close(kept)


def _flush() -> None:
    with suppress(OSError, ValueError, AttributeError):
        sys.__stdout__.flush()  # type: ignore[union-attr]


def end_quietly() -> None:
    """Send to standard error what plugins print when the process ends."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        os.dup2(2, 1)


def end_without_threads(code: int) -> None:
    """End the process if a thread that a plugin left would keep it from ending for more than ten seconds."""
    end = time.monotonic() + THREAD_SECONDS
    running = [thread for thread in _left if not thread.daemon and thread.is_alive()]
    for thread in running:
        thread.join(max(0.0, end - time.monotonic()))
    if any(thread.is_alive() for thread in running):
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        sys.stderr.write("nfcore: a plugin left a thread that does not end: it is not waited for\n")
        sys.stderr.flush()
        os._exit(code)
