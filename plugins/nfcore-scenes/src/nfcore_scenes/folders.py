"""Folders of photos: choosing among scaled copies, and listing photos."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path, PureWindowsPath

from nfcore import UserError
from nfcore.dataset import PHOTO_SUFFIXES, photo_sizes

_SCALED = re.compile(r"images_\d+")


def photo_files(folder: Path) -> list[Path]:
    """Return the photos in ``folder``, sorted by name."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in PHOTO_SUFFIXES and file.is_file())


def image_folder(scene: Path, image_size: int | None) -> Path:
    """Return the folder to read: ``images``, ``images_2``, ``images_4``, ...

    It is the one with the smallest photos whose longer side is at least ``image_size`` pixels, which are the
    cheapest to scale down; the one with the largest photos if there is none, or without ``image_size``.

    Raises:
        UserError: there is no such folder with photos.

    """
    sizes: dict[int, Path] = {}
    for folder in sorted(scene.iterdir()):
        if folder.is_dir() and (folder.name == "images" or _SCALED.fullmatch(folder.name)):
            photos = photo_files(folder)
            if photos:
                sizes.setdefault(max(photo_sizes(photos[0])[0]), folder)
    if not sizes:
        raise UserError(f"{scene} has no folder images, or images_N, with photos ({', '.join(PHOTO_SUFFIXES)})")
    enough = [size for size in sizes if image_size is not None and size >= image_size]
    return sizes[min(enough) if enough else max(sizes)]


def inside(path: str, where: str) -> str:
    """Return a relative path in normal form; one that leads out of its folder is rejected.

    Raises:
        UserError: the path is absolute, or leads out of the folder; starts with ``where``.

    """
    normal = posixpath.normpath(path)
    windows = PureWindowsPath(normal)  # it supports both kinds of slash
    if windows.anchor or ".." in windows.parts or "\0" in normal:
        raise UserError(f"{where} {path!r} leads outside of the data set's folder")
    return normal


def photo_file(folder: Path, photo: str) -> Path:
    """Return the file of a photo whose extension may be left out.

    Raises:
        UserError: there is no such file.

    """
    candidates = [folder / f"{photo}{suffix}" for suffix in ("", *PHOTO_SUFFIXES)]
    try:
        return next(candidate for candidate in candidates if candidate.is_file())
    except (StopIteration, OSError):  # OSError: a name that the file system does not allow
        raise UserError(f"photo {folder / photo} is missing (tried {', '.join(PHOTO_SUFFIXES)})") from None
