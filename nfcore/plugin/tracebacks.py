"""The code that an error came through, by the package that it belongs to."""

from __future__ import annotations

import traceback
from types import CodeType


def frames_of(error: BaseException) -> list[tuple[str, CodeType, int]]:
    """Return the top-level package, the code and the line of each frame of a traceback, the innermost last."""
    return [
        (str(frame.f_globals.get("__name__", "")).partition(".")[0], frame.f_code, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
