"""The formats of photos that are decoded; HEIC needs the extra ``heic``."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path

from nfcore.errors import UserError

#: Suffixes of photos, in the order in which they are tried where a data set leaves them out.
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".heic", ".heif", ".hif")
_HEIF_SUFFIXES = (".heic", ".heif", ".hif")
#: First bytes of files, after those that vary, by what they are.
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_SIGNATURES = (
    (4, b"ftypavif", "AVIF"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"BM", "BMP"),
    (0, b"GIF8", "GIF"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"8BPS", "Photoshop"),
    (4, b"ftypcrx", "camera raw"),
)
_RAW_SUFFIXES = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw")

# Pillow's rarer decoders are not used on untrusted files.
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")


def formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats that are decoded here."""
    return (*_FORMATS, "HEIF") if _heif_decoder() else _FORMATS


def decoder_for(path: Path) -> None:
    """Check that there is a decoder for a photo, by its ending.

    Raises:
        UserError: it is HEIC by its ending, whose decoder is not installed.

    """
    if path.suffix.lower() in _HEIF_SUFFIXES and not _heif_decoder():
        raise _lacks_heif(path)


def not_decoded(path: Path) -> UserError:
    """Return the error for a file that no decoder reads: which format it has by its first bytes, or damage."""
    with suppress(OSError), path.open("rb") as file:
        start = file.read(16)
        if start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS and not _heif_decoder():
            return _lacks_heif(path)
        if not start:
            return UserError(f"{path} is empty, 0 bytes: copy it again")
        found = [name for offset, first, name in _SIGNATURES if start[offset:].startswith(first)]
        if found or path.suffix.lower() in _RAW_SUFFIXES:
            return UserError(
                f"{path} is {[*found, 'camera raw'][0]}, which is not read: convert it to PNG or JPEG"
            )
    known = formats()
    return UserError(f"{path} is no complete {', '.join(known[:-1])} or {known[-1]} photo")


def _lacks_heif(path: Path) -> UserError:
    return UserError(
        f"{path} is HEIC, which needs a decoder: pip install 'neural-field-core[heic]', "
        "or convert the photos to JPEG"
    )


@cache
def _heif_decoder() -> bool:
    """Register pillow-heif with Pillow, if it is installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener(thumbnails=False)
    return True
