"""Bounds on the decoding of photos: what a header declares is checked before memory is allocated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition

import psutil
from PIL import Image

from nfcore.errors import UserError

#: Photos of more pixels are refused by Pillow.
MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)
#: A photo of more pixels than this has more than one byte of its file for each ``_MOST_PER_BYTE`` pixels; the most
#: that the deflated PNG of a single colour reaches is 340.
_LIKELY, _MOST_PER_BYTE = 24_000_000, 128
#: The most that a JPEG can have; Pillow takes 32 bytes for each row of a photo, however narrow it is.
_LONGEST_OF_JPEG = 65_535
#: Masks and drawings may be of one value almost everywhere.
_MASK_MODES = ("1", "L", "P")
#: Bytes for each pixel while a photo is decoded: as stored, and as 8-bit colours that are scaled.
_BYTES = 8
#: Pixels that are decoded at a time, in all threads together; a photo of more is decoded alone.
_MOST_AT_ONCE = 64_000_000

_at_once = 0
_changed = Condition()


def check_density(path: Path, photo: Image.Image) -> None:
    """Check that a photo's file is large enough for the pixels that its header declares.

    Raises:
        UserError: it declares far more than a photo of that many bytes can show, or a longer side than any has.

    """
    if max(photo.size) > _LONGEST_OF_JPEG:
        raise UserError(
            f"{path} declares {photo.width}x{photo.height} pixels: no side may have over {_LONGEST_OF_JPEG}"
        )
    pixels, size = photo.width * photo.height, path.stat().st_size
    if pixels > max(_LIKELY, _MOST_PER_BYTE * size) and photo.mode not in _MASK_MODES:
        raise UserError(
            f"{path} declares {photo.width}x{photo.height} pixels in {size / 1e6:.1f} MB, which shows nothing: "
            "replace it, or scale it down"
        )


@contextmanager
def decoding(path: Path, width: int, height: int) -> Iterator[None]:
    """Decode a photo of ``width`` x ``height`` pixels within the context, when other threads leave room for it.

    Raises:
        UserError: it needs more memory than there is.

    """
    global _at_once
    pixels = width * height
    free = psutil.virtual_memory().available
    if pixels * _BYTES > free:
        raise UserError(
            f"{path} needs {pixels * _BYTES / 1e9:.1f} GB to be decoded, and {free / 1e9:.1f} GB of memory are "
            "free: scale the photo down"
        )
    with _changed:
        _changed.wait_for(lambda: _at_once == 0 or _at_once + pixels <= _MOST_AT_ONCE)
        _at_once += pixels
    try:
        yield
    finally:
        with _changed:
            _at_once -= pixels
            _changed.notify_all()
