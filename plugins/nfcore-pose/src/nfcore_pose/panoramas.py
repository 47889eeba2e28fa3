"""Recognises 360-degree panoramas, which have no pinhole camera that could be posed."""

from __future__ import annotations

import numpy as np
from PIL import Image

#: A panorama's left and right edge show the same: they differ by at most this many times what neighbours differ.
_SEAM = 1.5
#: Columns that are compared, pixels of the small copy.
_SIDE = 256


def is_panorama(photo: Image.Image) -> bool:
    """Return whether a photo is an equirectangular panorama: by its metadata, or twice as wide as high and closed.

    >>> is_panorama(Image.new("RGB", (640, 480)))
    False
    """
    if b"equirectangular" in _xmp(photo):
        return True
    if photo.width != 2 * photo.height:
        return False
    small = np.asarray(photo.convert("L").resize((_SIDE, _SIDE // 2), Image.Resampling.BOX), np.float32)
    neighbours = np.abs(np.diff(small, axis=1)).mean()
    seam = np.abs(small[:, 0] - small[:, -1]).mean()
    return bool(seam <= _SEAM * neighbours and neighbours > 0.5)


def _xmp(photo: Image.Image) -> bytes:
    packet = photo.info.get("xmp", b"")
    return packet if isinstance(packet, bytes) else str(packet).encode()
