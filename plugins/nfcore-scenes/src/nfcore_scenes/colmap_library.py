"""pycolmap, without its SIGTERM handler, which would print a C++ stack trace when a run is terminated."""

from __future__ import annotations

import signal
import threading

_before = signal.getsignal(signal.SIGTERM)

import pycolmap  # noqa: E402 - its import changes the handler

if _before is not None and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, _before)

__all__ = ["pycolmap"]
