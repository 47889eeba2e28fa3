"""What a photo's EXIF data says, read without decoding the photo."""

from __future__ import annotations

import struct
from pathlib import Path

from PIL import ExifTags, Image

from nfcore.io.files import open_file

#: The side of the stored photo that is up, by EXIF orientation.
UP = {1: "top", 2: "top", 3: "bottom", 4: "bottom", 5: "left", 6: "left", 7: "right", 8: "right"}

_SIGNATURE = 8  # bytes at the start of a PNG
#: Where Pillow finds EXIF data, or an orientation, in a PNG whose first chunks have it.
_IN_PNG = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")


def exif_of(path: Path, photo: Image.Image) -> Image.Exif:
    """Return the EXIF data of an opened photo; empty if it has none.

    Pillow decodes the pixels of a PNG to look for EXIF data after them, 11 ms for 800x800 pixels: only those
    with something after their pixels are.
    """
    if photo.format != "PNG" or not photo.info.keys().isdisjoint(_IN_PNG) or _follows_pixels(path):
        return photo.getexif()
    return Image.Exif()


def is_turned(exif: Image.Exif) -> bool:
    """Whether the orientation is a quarter turn."""
    return exif.get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)


def exposure(exif: Image.Exif) -> float | None:
    """Return seconds times ISO speed over 100, or None where one is missing or not positive."""
    values = exif.get_ifd(ExifTags.IFD.Exif)
    seconds, speed = values.get(ExifTags.Base.ExposureTime), values.get(ExifTags.Base.ISOSpeedRatings)
    speed = speed[0] if isinstance(speed, tuple) and speed else speed
    try:
        found = float(seconds) * float(speed) / 100  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return found if 0 < found < float("inf") else None


def _follows_pixels(path: Path) -> bool:
    """Whether a PNG has a chunk between its pixels and its end; also if it is damaged, which decoding finds."""
    pixels = False
    with open_file(path) as file:
        file.seek(_SIGNATURE)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if pixels and kind != b"IDAT":
                return bool(kind != b"IEND")
            pixels = pixels or kind == b"IDAT"
            file.seek(length + 4, 1)
    return True
