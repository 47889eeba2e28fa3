"""A guard around code of plugins: what it prints goes to standard error, what it changes globally is restored."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

#: Seconds after which a plugin that is being imported is named.
SLOW_SECONDS = 10.0

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM") if hasattr(signal, name)]


@contextmanager
def guarded(*, filters: bool = True) -> Iterator[None]:
    """Run code of a plugin: its output goes to standard error, since standard output may be read as JSON.

    Restored afterwards: working directory, signal handlers and timer, recursion limit, standard error, torch's
    default dtype and device, and the warning filters.

    Args:
        filters: whether warning filters are restored too; libraries may set some when they are imported.

    """
    with ExitStack() as stack:
        stack.callback(_restore, _state(), filters)
        stack.enter_context(_output_to_stderr())
        yield


def _state() -> dict[str, Any]:
    state: dict[str, Any] = {
        "folder": _folder(),
        "recursion": sys.getrecursionlimit(),
        "stderr": sys.stderr,
        "filters": list(warnings.filters),
        "torch": _torch_defaults(),
    }
    if threading.current_thread() is threading.main_thread():
        state["handlers"] = {number: signal.getsignal(number) for number in _SIGNALS}
        state["timer"] = signal.getitimer(signal.ITIMER_REAL) if hasattr(signal, "getitimer") else None
    return state


def _restore(before: dict[str, Any], filters: bool) -> None:
    after = _state()
    if after["folder"] != before["folder"] and before["folder"] is not None:
        with suppress(OSError):
            os.chdir(before["folder"])
    sys.stderr = before["stderr"]
    if after["recursion"] != before["recursion"]:
        sys.setrecursionlimit(before["recursion"])
    if filters and after["filters"] != before["filters"]:
        warnings.filters[:] = before["filters"]  # type: ignore[index]
        warnings._filters_mutated()  # type: ignore[attr-defined]
    if after["torch"] != before["torch"] and after["torch"] is not None:
        torch = sys.modules["torch"]
        dtype, device = before["torch"] or (torch.float32, torch.device("cpu"))
        torch.set_default_dtype(dtype)
        torch.set_default_device(None if device.type == "cpu" else device)
    for number, handler in before.get("handlers", {}).items():
        if after["handlers"][number] is not handler and handler is not None:
            signal.signal(number, handler)
    if before.get("timer") == (0.0, 0.0) != after.get("timer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was deleted
        return None


def _torch_defaults() -> tuple[Any, Any] | None:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_default_device"):  # not imported, or being imported
        return None
    return torch.get_default_dtype(), torch.get_default_device()


@contextmanager
def _output_to_stderr() -> Iterator[None]:
    """Redirect standard output to standard error: that of Python, of C code and of child processes."""
    with redirect_stdout(sys.stderr), ExitStack() as stack:
        with suppress(OSError, ValueError, AttributeError):  # a stream that is closed, or is no file
            sys.__stdout__.flush()  # type: ignore[union-attr]
            kept = os.dup(1)
            os.dup2(2, 1)
            stack.callback(_back, kept)
        yield


def _back(kept: int) -> None:
    with suppress(OSError, ValueError, AttributeError):
        sys.__stdout__.flush()  # type: ignore[union-attr]
    os.dup2(kept, 1)
    os.close(kept)


@contextmanager
def named_if_slow(plugin: object, distribution: str) -> Iterator[threading.Event]:
    """Name a plugin that is still being imported after ten seconds; yields whether it was named."""
    named = threading.Event()

    def name() -> None:
        named.set()
        sys.stderr.write(
            f"nfcore: {plugin} is still being imported after {SLOW_SECONDS:.0f} s: Ctrl-C skips it, and so does "
            f"NFCORE_PLUGINS_DISABLE={distribution}\n"
        )

    timer = threading.Timer(SLOW_SECONDS, name)
    timer.daemon = True
    timer.start()
    try:
        yield named
    finally:
        timer.cancel()
