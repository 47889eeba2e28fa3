"""Parsing of sizes and times such as ``3.4MB`` and ``30ms``."""

from __future__ import annotations

import math
import re

from nfcore.errors import UserError

_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def parse_bytes(text: str) -> int:
    """Return the bytes of a text such as ``3.4MB`` or ``512 KiB``; a number without unit is bytes.

    Raises:
        UserError: it can't be parsed, or is not positive.

    """
    number, unit = _parts(text, "a size such as 3.4MB or 900kB")
    if unit not in _BYTES:
        raise UserError(f"{text!r} is no size: its unit must be one of B, kB, MB, GB, KiB, MiB, GiB")
    return math.floor(number * _BYTES[unit])


def parse_seconds(text: str) -> float:
    """Return the seconds of a text such as ``30ms`` or ``0.5 s``.

    Raises:
        UserError: it can't be parsed, or is not positive.

    """
    number, unit = _parts(text, "a time such as 30ms or 0.5s")
    if unit not in _SECONDS:
        raise UserError(f"{text!r} is no time: its unit must be one of us, ms, s")
    return number * _SECONDS[unit]


def _parts(text: str, right: str) -> tuple[float, str]:
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-z]*)", text.strip().lower())
    if found is None or float(found[1]) <= 0:
        raise UserError(f"{text!r} is not {right}")
    return float(found[1]), found[2]
