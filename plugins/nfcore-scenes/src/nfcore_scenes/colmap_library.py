"""pycolmap, without what it does to SIGTERM: its logger would print a C++ stack where a run is asked to end."""

from __future__ import annotations

import signal
import threading

_before = signal.getsignal(signal.SIGTERM)

import pycolmap  # noqa: E402 - its import changes the handler

if _before is not None and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, _before)

__all__ = ["pycolmap"]
