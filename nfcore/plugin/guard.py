"""A guard around code of plugins: what it prints goes to standard error, what it changes globally is restored."""

from __future__ import annotations

import concurrent.futures.thread
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Container, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

#: Seconds that a thread that a plugin left running may take until the process ends.
THREAD_SECONDS = 10.0

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM") if hasattr(signal, name)]
_PRIVATE = 0o077  # permissions of what another thread creates while the mask is read

#: Threads that plugins started while they were imported or called, which keep the process alive.
_left: list[threading.Thread] = []


@contextmanager
def guarded(*, filters: bool = True) -> Iterator[None]:
    """Run code of a plugin: its output goes to standard error, since standard output may be read as JSON.

    Restored afterwards: working directory, file mode mask, module search path, signal handlers and timer,
    recursion limit, standard streams, the warning filters, and torch's default dtype and device, gradient mode,
    number of threads and random numbers.

    Args:
        filters: whether warning filters are restored too; libraries may set some when they are imported.

    """
    with ExitStack() as stack:
        stack.callback(_end_fork, os.getpid())
        stack.callback(_keep_new_threads, set(threading.enumerate()))
        stack.callback(_restore_streams, sys.stdout, sys.stderr)
        for read, write in [*_SETTINGS, *([_FILTERS] if filters else []), *_torch_settings()]:
            stack.callback(_restore, read, write, read())
        if not _torch_settings():
            stack.callback(_restore_new_torch)
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in _SIGNALS}
            stack.callback(_restore_signals, handlers, signal.getitimer(signal.ITIMER_REAL))
        stack.enter_context(_output_to_stderr())
        yield


def _end_fork(process: int) -> None:
    """End a copy of the process that a plugin made: it would do the command a second time."""
    if os.getpid() != process:
        os._exit(0)


def _keep_new_threads(before: set[threading.Thread]) -> None:
    # Threads of a pool that wait for work are ended by Python itself; a process that keeps its pools is no fault.
    pooled: Container[object] = getattr(concurrent.futures.thread, "_threads_queues", ())
    _left.extend(thread for thread in threading.enumerate() if thread not in before and thread not in pooled)


def _restore(read: Callable[[], Any], write: Callable[[Any], object], before: Any) -> None:
    after = read()
    if before is not None and after != before:
        with suppress(OSError):
            write(before)


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was deleted
        return None


def _mask() -> int:
    mask = os.umask(_PRIVATE)
    os.umask(mask)
    return mask


def _set_filters(before: list[Any]) -> None:
    warnings.filters[:] = before  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _set_search_path(before: list[str]) -> None:
    """Put back what is missing; a plugin may add folders."""
    sys.path[:] = [*before, *(folder for folder in sys.path if folder not in before)]


#: How each is read and written; None cannot be written.
_SETTINGS: list[tuple[Callable[[], Any], Callable[[Any], object]]] = [
    (_folder, os.chdir),
    (_mask, os.umask),
    (lambda: list(sys.path), _set_search_path),
    (sys.getrecursionlimit, sys.setrecursionlimit),
]
_FILTERS = (lambda: list(warnings.filters), _set_filters)


def _torch_settings() -> list[tuple[Callable[[], Any], Callable[[Any], object]]]:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_default_device"):  # not imported, or being imported
        return []
    return [
        (torch.get_default_dtype, torch.set_default_dtype),
        (lambda: str(torch.get_default_device()), lambda device: torch.set_default_device(_device(device))),
        (torch.is_grad_enabled, torch.set_grad_enabled),
        (torch.get_num_threads, torch.set_num_threads),
        (lambda: _Bits(torch.get_rng_state()), lambda bits: torch.set_rng_state(bits.state)),
    ]


def _restore_new_torch() -> None:
    """Put the settings of a torch that a plugin was the first to import to its own defaults."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_default_device"):
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        torch.set_grad_enabled(True)


def _device(name: str) -> str | None:
    return None if name == "cpu" else name


class _Bits:
    """A state of random numbers that can be compared."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bits) and bool(self.state.equal(other.state))

    __hash__ = None  # type: ignore[assignment]


def _restore_signals(before: dict[int, Any], timer: tuple[float, float]) -> None:
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)
    if timer == (0.0, 0.0):
        signal.setitimer(signal.ITIMER_REAL, 0)


def _restore_streams(out: Any, error: Any) -> None:
    """Put back the standard streams; one that a plugin has closed is opened again."""
    sys.stdout, sys.stderr = (
        open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        if getattr(stream, "closed", False)
        else stream
        for number, stream in ((1, out), (2, error))
    )


@contextmanager
def _output_to_stderr() -> Iterator[None]:
    """Redirect standard output to standard error: that of Python, of C code and of child processes."""
    with redirect_stdout(sys.stderr), ExitStack() as stack:
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
