"""A plugin that does not return: it is named after ten seconds, and its registration ends after a minute."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from nfcore.errors import Interrupted, PluginError
from nfcore.plugin.entry_points import PluginSource
from nfcore.runtime import signals

#: Seconds after which a plugin whose code is running is named.
SLOW_SECONDS = 10.0
#: Seconds that the registration of a plugin may take; then it counts as broken.
LONGEST_SECONDS = 60.0

_PERIOD = 0.25


@dataclass(eq=False)
class _Call:
    """Code of a plugin that is running."""

    source: PluginSource
    registers: bool
    ends: bool  # after a minute
    start: float = field(default_factory=time.monotonic)
    named: bool = False


_calls: list[_Call] = []
_lock = threading.Lock()
_thread: threading.Thread | None = None


@contextmanager
def watched(source: PluginSource, *, registers: bool) -> Iterator[None]:
    """Name a plugin whose code, which runs within the context, has not returned after ten seconds.

    Args:
        source: the plugin.
        registers: whether it is being registered, which Ctrl-C then skips; it is ended after a minute, by SIGALRM,
            whose handler ``guarded`` restores.

    Raises:
        PluginError: Ctrl-C has skipped it, or the minute is over.

    """
    _start()
    call = _Call(source, registers, registers and _can_end())
    if call.ends:
        signal.signal(signal.SIGALRM, _end)
    with _lock:
        _calls.append(call)
    try:
        yield
    except Interrupted as stop:
        if not (registers and call.named and stop.number == signal.SIGINT):
            raise
        signals.forget()
        raise PluginError("skipped by Ctrl-C while it was being registered") from None
    finally:
        with _lock:  # from here on the thread neither names nor ends it
            _calls.remove(call)


def _start() -> None:
    global _thread
    if _thread is None or not _thread.is_alive():  # a fork has no threads of its parent
        _thread = threading.Thread(target=_watch, name="nfcore-plugins", daemon=True)
        _thread.start()


def _watch() -> None:
    while True:
        time.sleep(_PERIOD)
        with _lock:
            for call in _calls:
                seconds = time.monotonic() - call.start
                if seconds > SLOW_SECONDS and not call.named:
                    call.named = True
                    _name(call)
                if seconds > LONGEST_SECONDS and call.ends:
                    call.ends = False
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)


def _name(call: _Call) -> None:
    disabling = f"NFCORE_PLUGINS_DISABLE={call.source.distribution}"
    skipping = f"Ctrl-C skips it, and so does {disabling}" if call.registers else f"{disabling} skips it"
    sys.stderr.write(f"nfcore: {call.source} has not returned after {SLOW_SECONDS:.0f} s: {skipping}\n")


def _can_end() -> bool:
    return hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()


def _end(*_: object) -> None:
    raise PluginError(f"its registration did not end within {LONGEST_SECONDS:.0f} s")
