"""Photos on disk: found in a folder, opened, turned upright, and described by their EXIF."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image, ImageOps

from nfcore import UserError
from nfcore_pose.suffixes import PHOTOS, VIDEOS

#: Folders next to photos that hold other things than photos to pose.
_OTHER = ("masks", "sparse", "__MACOSX")
#: The diagonal of 35 mm film, in millimetres.
_FILM_DIAGONAL = 43.27


@dataclass(frozen=True)
class Photo:
    """One photo of a capture.

    Args:
        name: its path relative to the capture, with slashes.
        file: where it is.
        mask: a grey image of its size, black where pixels are ignored, or None.

    """

    name: str
    file: Path
    mask: Path | None = None


@dataclass(frozen=True)
class PhotoFacts:
    """What a photo's header says.

    Args:
        height: pixels, upright.
        width: pixels, upright.
        turned: whether its EXIF orientation differs from its pixels.
        form: Pillow's name of its format, such as ``JPEG``.
        focal: focal length in pixels by EXIF, or None.
        camera: what photos of one camera with the same setting of its lens have in common.

    """

    height: int
    width: int
    turned: bool
    form: str
    focal: float | None
    camera: tuple[str, ...]


def photos_in(folder: Path) -> list[Photo]:
    """Return the photos in ``folder`` or, if it has one with photos, in its sub-folder ``images``; sorted by name.

    Scaled copies (``images_2``), hidden files and masks are left out. The mask of ``a.jpg`` is ``masks/a.jpg.png``
    or ``masks/a.png``.
    """
    for root in (folder / "images", folder):
        files = sorted(_files(root, PHOTOS)) if root.is_dir() else []
        if files:
            return [Photo(name, file, _mask(folder / "masks", name)) for name, file in files]
    return []


def videos_in(folder: Path) -> list[Path]:
    """Return the videos in ``folder``, sorted by name."""
    return [file for _, file in sorted(_files(folder, VIDEOS))]


def _files(root: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Yield name and path of the files in ``root`` and in its sub-folders."""
    for file in root.rglob("*"):
        parts = file.relative_to(root).parts
        hidden = any(part.startswith((".", "@", "images_")) or part in _OTHER for part in parts)
        if not hidden and file.suffix.lower() in suffixes and file.is_file():
            yield "/".join(parts), file


def _mask(folder: Path, name: str) -> Path | None:
    candidates = (folder / f"{name}.png", (folder / name).with_suffix(".png"))
    return next((file for file in candidates if file.is_file()), None)


@contextmanager
def opened(file: Path) -> Iterator[Image.Image]:
    """Open a photo within a context; any fault of the file becomes an error that names it.

    Raises:
        UserError: it is missing, damaged or of a format that can't be read here.

    """
    _read_heif()
    try:
        with Image.open(file, formats=[*_FORMATS]) as photo:
            yield photo
    except UserError:
        raise
    except Exception as error:  # decoders raise anything from SyntaxError to struct.error for broken bytes
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{file} can't be read: {error.strerror}") from error
        if file.suffix.lower() in (".heic", ".heif") and "HEIF" not in Image.MIME:
            raise UserError(f"{file} is a HEIC photo: pip install pillow-heif, or export it as JPEG") from None
        raise UserError(f"{file} is no complete photo: replace it, or take it out of the folder") from error


#: Pillow's formats that are opened: its rarer decoders are kept away from untrusted files.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "MPO", "HEIF")


def _read_heif() -> None:
    """Make Pillow read HEIC, if pillow-heif is installed."""
    if "HEIF" not in Image.MIME:
        with suppress(ImportError):
            importlib.import_module("pillow_heif").register_heif_opener()


def photo_facts(file: Path) -> PhotoFacts:
    """Return what the header of a photo says.

    Raises:
        UserError: it can't be read.

    """
    with opened(file) as photo:
        exif = photo.getexif()
        orientation = exif.get(ExifTags.Base.Orientation, 1)
        details = exif.get_ifd(ExifTags.IFD.Exif)
        width, height = photo.size if orientation not in (5, 6, 7, 8) else photo.size[::-1]
        lens = (ExifTags.Base.FocalLength, ExifTags.Base.FocalLengthIn35mmFilm, ExifTags.Base.LensModel)
        made = [exif.get(tag, "") for tag in (ExifTags.Base.Make, ExifTags.Base.Model)]
        made += [details.get(tag, "") for tag in (*lens, ExifTags.Base.DigitalZoomRatio)]
        return PhotoFacts(
            height=height,
            width=width,
            turned=orientation not in (0, 1),
            form=photo.format or "",
            focal=_focal(details.get(ExifTags.Base.FocalLengthIn35mmFilm), math.hypot(width, height)),
            camera=(f"{width}x{height}", *map(str, made)),
        )


def _focal(equivalent: object, diagonal: float) -> float | None:
    """Return the focal length in pixels from the one that 35 mm film would need for the same view."""
    try:
        millimetres = float(equivalent)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return millimetres / _FILM_DIAGONAL * diagonal if 5 <= millimetres <= 2000 else None


def upright(photo: Image.Image) -> Image.Image:
    """Return a photo as RGB, or RGBA if it has alpha, turned as its EXIF orientation says."""
    turned = ImageOps.exif_transpose(photo)
    if turned.mode.startswith("I"):  # 16-bit grey, which Pillow clips instead of scaling
        turned = turned.point(lambda value: value / 257).convert("L")
    return turned.convert("RGBA" if turned.has_transparency_data else "RGB")
