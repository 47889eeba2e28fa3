"""Large arrays on huge pages: with pages of 4 KiB, a fifth of a step is spent on TLB misses."""

from __future__ import annotations

import ctypes
import functools
import math
import sys
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

#: Size of a huge page; size of a cache line, on which rows must begin so that none is in two of them.
PAGE, LINE = 2 << 20, 64
# Linux: advice for pages to come, and a request to gather those that are there (since 6.1).
_HUGE_PAGES, _COLLAPSE = 14, 25


def on_huge_pages(array: NDArray[Any]) -> NDArray[Any]:
    """Ask the system to keep ``array`` on huge pages, and return it.

    Its address does not change. Only Linux has this request, and ignores it where it can't be met.

        >>> on_huge_pages(np.zeros(4, np.float32))
        array([0., 0., 0., 0.], dtype=float32)
    """
    first = -(-array.ctypes.data // PAGE) * PAGE
    size = (array.ctypes.data + array.nbytes - first) // PAGE * PAGE
    if size > 0 and (advise := _advise()) is not None:
        for advice in (_HUGE_PAGES, _COLLAPSE):
            advise(ctypes.c_void_p(first), ctypes.c_size_t(size), advice)
    return array


def zeros(shape: tuple[int, ...], kind: DTypeLike = np.float32) -> NDArray[Any]:
    """Return zeros that begin on a cache line, on huge pages where there are any.

    >>> zeros((2, 3)).shape
    (2, 3)

    """
    size = math.prod(shape) * np.dtype(kind).itemsize
    raw = np.zeros(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return on_huge_pages(raw[start : start + size].view(kind).reshape(shape))


@functools.cache
def _advise() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "madvise", None)
