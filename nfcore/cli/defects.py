"""The last line of defence: an error that nobody expected becomes one line, and its traceback a file."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nfcore.io import files
from nfcore.plugin.installed import loaded
from nfcore.plugin.isolation import reason
from nfcore.plugin.tracebacks import frames_of
from nfcore.runtime.plain_text import plain_lines

_KEPT_LOGS = 20


def described(error: BaseException) -> str:
    """Return an unexpected error in one line: what raised it, where, the last file that was read, and the log."""
    frames = frames_of(error)
    plugin, package = next(_plugins([name for name, _, _ in frames]), (None, "nfcore"))
    places = [f"{Path(code.co_filename).name}:{line}" for name, code, line in frames if name == package]
    what = reason(error).removesuffix(": ")
    parts = [f"{plugin or 'nfcore'} failed: {what}", *(f"({place})" for place in places[-1:])]
    if plugin is None and files.last_read is not None:
        parts.append(f"after reading {files.last_read}")
    log = _kept("".join(traceback.format_exception(error)))
    return " ".join(parts) + (f"; its traceback: {log}" if log else "; --debug shows its traceback")


@contextmanager
def quiet_faults() -> Iterator[None]:
    """Say what a thread or a finalizer raises in a line, unless somebody else does; show warnings as plain text.

    The hooks for threads and finalizers stay: both may outlast the command.
    """
    formatted = warnings.formatwarning
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = lambda fault: _say(fault.exc_value)
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = lambda fault: _say(fault.exc_value)
    warnings.formatwarning = lambda *arguments: plain_lines(formatted(*arguments))
    try:
        yield
    finally:
        warnings.formatwarning = formatted


def _say(error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        sys.stderr.write(f"nfcore: {plain_lines(described(error))}\n")


def _plugins(packages: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the plugins, and their packages, that code of ``packages`` belongs to, the innermost first."""
    manager = loaded()
    for package in reversed(packages):
        for plugin in manager.plugins if manager else ():
            if package in plugin.packages:
                yield str(plugin), package


def _kept(trace: str) -> Path | None:
    """Write a traceback to a log of its own; None where no folder can be written to."""
    try:
        import platformdirs
    except Exception:  # a plugin's import hook, or an installation that is not whole
        return None
    name = f"error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    for folder in (platformdirs.user_log_path("nfcore"), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"{sys.argv}\n{sys.version}\n{trace}", encoding="utf-8", errors="replace")
            for old in sorted(folder.glob("error-*-*.txt"))[:-_KEPT_LOGS]:
                old.unlink(missing_ok=True)
        except OSError:
            continue
        return folder / name
    return None
