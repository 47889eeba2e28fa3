"""The state of the process that code of a plugin may change for everybody, and that is put back after it."""

from __future__ import annotations

import builtins
import gc
import io
import json
import locale
import os
import pathlib
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

#: Modules and classes whose names are put back where they were replaced or deleted.
_NAMESPACES: tuple[Any, ...] = (
    builtins, sys, os, os.path, io, json, time, signal, threading, warnings, pathlib, PurePath, Path, type(Path()),
)  # fmt: skip
# Python's own, which change all the time, and the streams, which ``guarded`` handles.
_VOLATILE = frozenset({"stdin", "stdout", "stderr", "last_type", "last_value", "last_traceback", "last_exc", "_"})
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM") if hasattr(signal, name)]
_LIMITS = ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_STACK")
_PRIVATE = 0o077  # permissions of what another thread creates while the mask is read

Setting = tuple[Callable[[], Any], Callable[[Any], object]]
# Bound here, since a plugin may replace them.
_set, _length, _missing = setattr, len, object()


@contextmanager
def unchanged(*, filters: bool, random: bool) -> Iterator[None]:
    """Put back at the end what code within the context changes for the whole process.

    Names of Python's own modules, import hooks, arguments and environment, working directory, file mode mask,
    module search path, signal handlers and timer, limits, locale, the warning filters, numpy's handling of errors,
    and torch's default dtype and device, gradient mode, number of threads and random numbers. What is added to the
    environment, the search path, the import hooks or the modules stays.

    Args:
        filters: whether warning filters are put back too; libraries may set some when they are imported.
        random: whether torch's random numbers are.

    """
    settings = [*_SETTINGS, *([_FILTERS] if filters else []), *_numpy_settings(), *_torch_settings()]
    with ExitStack() as stack:
        for read, write in settings + (_torch_random() if random else []):
            stack.callback(_restore, read, write, read())
        if not _torch_settings():
            stack.callback(_restore_new_torch)
        if threading.current_thread() is threading.main_thread():
            stack.callback(_restore_signals, *_signals())
        # First of all, since the others use them.
        stack.callback(_restore_modules, dict(sys.modules))
        stack.callback(_restore_names, [(space, dict(space.__dict__)) for space in _NAMESPACES])
        yield


def _restore(read: Callable[[], Any], write: Callable[[Any], object], before: Any) -> None:
    after = read()
    if before is not None and after != before:
        with suppress(OSError, ValueError):  # a folder that was deleted, a limit that can't be raised again
            write(before)


def _restore_names(before: list[tuple[Any, dict[str, Any]]]) -> None:
    for space, names in before:
        now = space.__dict__
        for name, value in names.items():
            if now.get(name, _missing) is not value and name not in _VOLATILE:
                _set(space, name, value)
        if isinstance(space, type):  # Python's builtins are whole again: they are the first space
            inherited = {name for base in space.__mro__[1:] for name in base.__dict__}
            for name in (now.keys() - names.keys()) & inherited:
                delattr(space, name)


def _restore_modules(before: dict[str, Any]) -> None:
    now = sys.modules
    if _length(now) < _length(before):  # some were deleted
        for name, module in before.items():
            now.setdefault(name, module)


# -- settings of Python, each with how it is read and written; None cannot be written ---------------------------


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


def _with_missing(find: Callable[[], list[Any]]) -> Setting:
    """Return how a list of Python's is read, and written so that what was added stays."""

    def write(before: list[Any]) -> None:
        found = find()
        found[:] = [*before, *(item for item in found if item not in before)]

    return lambda: list(find()), write


def _set_environment(before: dict[str, str]) -> None:
    os.environ.update(before)


def _set_arguments(before: list[str]) -> None:
    sys.argv[:] = before


def _limits() -> list[tuple[int, tuple[int, int]]]:
    if resource is None:
        return []
    numbers = [getattr(resource, name) for name in _LIMITS if hasattr(resource, name)]
    return [(number, resource.getrlimit(number)) for number in numbers]


def _set_limits(before: list[tuple[int, tuple[int, int]]]) -> None:
    for number, limits in before:
        with suppress(OSError, ValueError):
            resource.setrlimit(number, limits)


_SETTINGS: list[Setting] = [
    (_folder, lambda folder: os.chdir(folder)),
    (_mask, lambda mask: os.umask(mask)),
    _with_missing(lambda: sys.path),
    _with_missing(lambda: sys.meta_path),
    _with_missing(lambda: sys.path_hooks),
    (lambda: list(sys.argv), _set_arguments),
    (lambda: dict(os.environ), _set_environment),
    (lambda: sys.getrecursionlimit(), lambda limit: sys.setrecursionlimit(limit)),
    (lambda: (sys.gettrace(),), lambda trace: sys.settrace(*trace)),
    (lambda: (sys.getprofile(),), lambda profile: sys.setprofile(*profile)),
    (lambda: gc.isenabled(), lambda enabled: gc.enable() if enabled else gc.disable()),
    (lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
    (_limits, _set_limits),
]
_FILTERS: Setting = (lambda: list(warnings.filters), _set_filters)


def _signals() -> tuple[dict[int, Any], Any, int, tuple[float, float]]:
    """Return the handlers, which signals are blocked, the wake-up descriptor and the timer."""
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ()) if hasattr(signal, "pthread_sigmask") else None
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    return handlers, blocked, descriptor, signal.getitimer(signal.ITIMER_REAL)


def _restore_signals(handlers: dict[int, Any], blocked: Any, descriptor: int, timer: tuple[float, float]) -> None:
    for number, handler in handlers.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)
    if blocked is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    if timer == (0.0, 0.0):
        signal.setitimer(signal.ITIMER_REAL, 0)


# -- settings of numpy and torch, if they are imported -----------------------------------------------------------


def _numpy_settings() -> list[Setting]:
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "geterr"):  # not imported, or being imported
        return []
    return [(numpy.geterr, lambda errors: numpy.seterr(**errors))]


def _torch_settings() -> list[Setting]:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_default_device"):
        return []
    return [
        (torch.get_default_dtype, torch.set_default_dtype),
        (lambda: str(torch.get_default_device()), lambda device: torch.set_default_device(_device(device))),
        (torch.is_grad_enabled, torch.set_grad_enabled),
        (torch.get_num_threads, torch.set_num_threads),
        (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    ]


def _torch_random() -> list[Setting]:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_rng_state"):
        return []
    return [(lambda: _Bits(torch.get_rng_state()), lambda bits: torch.set_rng_state(bits.state))]


def _restore_new_torch() -> None:
    """Put the settings of a torch that a plugin was the first to import to its own defaults."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_default_device"):
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        torch.set_grad_enabled(True)
        torch.use_deterministic_algorithms(False)


def _device(name: str) -> str | None:
    return None if name == "cpu" else name


class _Bits:
    """A state of random numbers that can be compared."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bits) and bool(self.state.equal(other.state))

    __hash__ = None  # type: ignore[assignment]
