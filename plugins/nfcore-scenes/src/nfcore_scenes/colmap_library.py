"""pycolmap, imported when it is needed: without its SIGTERM handler, and with advice where it is missing."""

from __future__ import annotations

import signal
import threading
from types import ModuleType

from nfcore import UserError


def pycolmap_for(purpose: str) -> ModuleType:
    """Return the module ``pycolmap``.

    Its SIGTERM handler, which would print a C++ stack trace when a run is terminated, is replaced by the one from
    before.

    Raises:
        UserError: it is not installed; says that ``purpose`` needs it.

    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        import pycolmap
    except ModuleNotFoundError:
        raise UserError(
            f"{purpose} needs pycolmap, which is not installed: pip install pycolmap, or where there is none for "
            "this machine, run COLMAP's image_undistorter elsewhere"
        ) from None
    if before is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)
    return pycolmap
