"""Folders of photos: which of the scaled copies images, images_2, images_4, ... to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nfcore import UserError
from nfcore.dataset import PHOTO_SUFFIXES, photo_header
from nfcore_scenes.photo_finder import SCALED_COPIES, PhotoFinder, is_photo, normal_path, photo_files

#: Folders of photos: COLMAP's and gaussian-splatting's, with those of scaled copies.
_FULL_SIZE = ("images", "input")


@dataclass(frozen=True)
class PhotoFolder:
    """A folder in which the photos of a list of names are looked for.

    Args:
        folder: the folder.
        files: the file of each name that has one; other names are looked for when they are asked for.
        moved: whether the photos are elsewhere than their names say.

    """

    folder: Path
    files: dict[str, Path]
    moved: bool = False

    @classmethod
    def of(cls, folder: Path, names: Sequence[str]) -> PhotoFolder:
        """Return the folder with the photos of ``names`` in it."""
        finder = PhotoFinder(folder)
        found = {name: finder.find(name, f"{folder}: photo") for name in names}
        return cls(folder, {name: file for name, file in found.items() if file is not None})

    def find(self, name: str, where: str) -> Path | None:
        """Return the photo of that name, or None."""
        return self.files.get(name) or PhotoFinder(self.folder).find(name, where)


def best_folder(scene: Path, names: Sequence[str], image_size: int | None, *, search: bool = True) -> PhotoFolder:
    """Return the folder to read the photos of ``names`` from.

    Of the folders with most of the photos it is the one with the smallest photos whose longer side is at least
    ``image_size`` pixels, which are the cheapest to scale down; the one with the largest photos if there is none,
    or without ``image_size``. Scaled copies that were renamed in the order of their names are recognised. Where no
    folder has any of them, they are searched for in all folders below if ``search``.

    Raises:
        UserError: there is no such folder with photos.

    """
    found = [PhotoFolder.of(folder, names) for folder in [*_folders(scene), scene]]
    full = next((folder for folder in found if len(folder.files) == len(set(names))), None)
    if full is not None:
        found += [copy for folder in _folders(scene) if (copy := _renamed(folder, full, names)) is not None]
    most = max(len(folder.files) for folder in found)
    if not most:
        moved = PhotoFinder(scene).where_most_are(list(dict.fromkeys(names))).moved if search else {}
        if not moved:
            raise _none(scene, names)
        return PhotoFolder(next(iter(moved.values())).parent, moved, moved=True)
    sizes: dict[int, PhotoFolder] = {}
    for folder in (folder for folder in found if len(folder.files) == most):
        sizes.setdefault(max(photo_header(next(iter(folder.files.values()))).size), folder)
    return sizes[_chosen(list(sizes), image_size)]


def image_folder(scene: Path, image_size: int | None) -> Path:
    """Return the folder to read where the photos have no known names; chosen by size as in ``best_folder``.

    Raises:
        UserError: there is no such folder with photos.

    """
    sizes: dict[int, Path] = {}
    for folder in _folders(scene) or [scene]:
        photos = photo_files(folder)
        if photos:
            sizes.setdefault(max(photo_header(photos[0]).size), folder)
    if not sizes:
        raise _none(scene, [])
    return sizes[_chosen(list(sizes), image_size)]


def _chosen(sizes: list[int], image_size: int | None) -> int:
    enough = [size for size in sizes if image_size is not None and size >= image_size]
    return min(enough) if enough else max(sizes)


def _folders(scene: Path) -> list[Path]:
    entries = sorted(entry for entry in scene.iterdir() if entry.is_dir())
    named = [entry for entry in entries if entry.name.lower() in _FULL_SIZE]
    return named + [entry for entry in entries if SCALED_COPIES.fullmatch(entry.name)]


def _renamed(folder: Path, full: PhotoFolder, names: Sequence[str]) -> PhotoFolder | None:
    """Return a folder whose photos are those of ``full`` in the same order under other names, or None."""
    photos, originals = photo_files(folder), photo_files(full.folder)
    if folder == full.folder or len(photos) != len(originals) or photos[0].stem == originals[0].stem:
        return None
    copies = dict(zip(originals, photos, strict=True))
    if not all(full.files[name] in copies for name in names):
        return None
    return PhotoFolder(folder, {name: copies[full.files[name]] for name in names})


def _none(scene: Path, names: Sequence[str]) -> UserError:
    kinds = ", ".join(PHOTO_SUFFIXES)
    files = [folder for folder in _FULL_SIZE if (scene / folder).is_file()]
    if files:
        return UserError(f"{scene / files[0]} is a file, but must be the folder of the photos ({kinds})")
    said = f" of the {len(names)} that were posed, such as {normal_path(names[0])}" if names else ""
    others = [
        folder.name
        for folder in sorted(scene.iterdir())
        if folder.is_dir() and any(map(is_photo, folder.glob("*")))
    ]
    hint = f"; photos are in {', '.join(others[:3])}: rename it to images" if others and not names else ""
    return UserError(f"{scene} has no folder images, or images_N, with photos{said} ({kinds}){hint}")
