"""The formats of photos that are decoded; HEIC needs the extra ``heic``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from nfcore.errors import UserError

#: Suffixes of photos, in the order in which they are tried where a data set leaves them out.
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".heic", ".heif")
_HEIF_SUFFIXES = (".heic", ".heif")

# Pillow's rarer decoders are kept away from untrusted files.
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")


def formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats that are decoded here."""
    return (*_FORMATS, "HEIF") if _heif_decoder() else _FORMATS


def decoder_for(path: Path) -> None:
    """Check that there is a decoder for a photo, by its ending.

    Raises:
        UserError: it is HEIC, whose decoder is not installed.

    """
    if path.suffix.lower() in _HEIF_SUFFIXES and not _heif_decoder():
        raise UserError(
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
