"""Finding the photo that a file names: on any system, with another ending, moved elsewhere."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PureWindowsPath
from typing import Self

from nfcore import UserError
from nfcore.dataset import PHOTO_SUFFIXES

#: How the names of what other programs leave in folders start: metadata, thumbnails, what was deleted.
_LEFTOVERS = (".", "@", "__MACOSX")
#: Folders of scaled copies of the same photos.
SCALED_COPIES = re.compile(r"images_\d+")
#: At most so many folders are searched for photos that were moved.
_MOST_FOLDERS = 200


def is_photo(file: Path) -> bool:
    """Whether a file is a photo by its name, and not what another program left behind."""
    return file.suffix.lower() in PHOTO_SUFFIXES and not file.name.startswith(_LEFTOVERS) and file.is_file()


def photo_files(folder: Path) -> list[Path]:
    """Return the photos in ``folder`` and, if there are none, those in its sub-folders, sorted by name."""
    if not folder.is_dir():
        return []
    found = sorted(file for file in folder.iterdir() if is_photo(file))
    return found or sorted(file for below in folders_below(folder) for file in below.iterdir() if is_photo(file))


def folders_below(folder: Path) -> Iterator[Path]:
    """Yield the folders in ``folder``, and those in them, sorted by name, without those that programs hide."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for below in entries:
        if below.is_dir() and not below.is_symlink() and not below.name.startswith(_LEFTOVERS):
            yield below
            yield from folders_below(below)


class PhotoFinder:
    """Finds files in one folder by the names that a data set's files give them.

    A name may have backslashes, be absolute on the machine that wrote it, leave out the ending or have that of
    the photos before they were converted, and differ in case or in Unicode's normal form.

    Args:
        folder: the folder that no name may lead out of.
        base: the folder within it that names are relative to; by default the same.
        way_out: what to do if a name leads out of it, for the error.

    Attributes:
        moved: files that were found in another folder than their names say, by name.

    """

    def __init__(self, folder: Path, base: Path = Path(), way_out: str = "move the files into it") -> None:
        self.folder, self.base, self.way_out = folder, base, way_out
        self.moved: dict[str, Path] = {}
        self._listed: dict[Path, dict[str, Path]] = {}

    def where_most_are(self, names: Sequence[str]) -> Self:
        """Return a finder that finds ``names`` in another folder below this one, if none is where it should be.

        Photos are moved into a folder, out of it, or to one of another name; or only scaled copies are kept.
        """
        if not any(self.find(name, f"{self.folder}:") for name in names):
            self.moved = self._elsewhere(names)
        return self

    def _elsewhere(self, names: Sequence[str]) -> dict[str, Path]:
        """Return the files of ``names`` in the one folder with most of them, by the longest ends of paths."""
        parts = {name: [part for part in normal_path(name).split("/") if part not in ("", "..")] for name in names}
        folders = [self.folder, *islice(folders_below(self.folder), _MOST_FOLDERS)]
        for dropped in range(max(map(len, parts.values()), default=0)):
            ends = {name: "/".join(path[min(dropped, len(path) - 1) :]) for name, path in parts.items()}
            if len(set(ends.values())) < len(names):
                return {}  # photos of the same name in different folders
            found = {folder: self._below(folder, ends) for folder in folders}
            most = max(map(len, found.values()))
            best = [folder for folder, files in found.items() if len(files) == most]
            if most:
                scaled = all(SCALED_COPIES.fullmatch(folder.name) for folder in best)
                return found[best[0]] if len(best) == 1 or scaled else {}
        return {}

    def _below(self, folder: Path, ends: dict[str, str]) -> dict[str, Path]:
        """Return the files in ``folder`` by name, where ``ends`` are their paths in it."""
        base = folder.relative_to(self.folder)
        files = {name: self._inside((base / end).as_posix()) for name, end in ends.items()}
        return {name: file for name, file in files.items() if file is not None}

    def find(self, name: str, where: str) -> Path | None:
        """Return the file that ``name`` names, or None if there is none.

        Raises:
            UserError: the file exists, but outside of the folder; starts with ``where``.

        """
        if name in self.moved:
            return self.moved[name]
        path = normal_path(posixpath.join(self.base.as_posix(), name.replace("\\", "/")))
        leads_out = posixpath.isabs(path) or path.startswith("../") or path == ".." or PureWindowsPath(path).drive
        if not leads_out:
            return self._inside(path)
        parts = [part for part in path.split("/") if part and part != ".."]
        for start in range(len(parts)):  # written on another machine, or with the folder's own name
            if PureWindowsPath(parts[start]).drive:
                continue
            found = self._inside("/".join(parts[start:]))
            if found is not None:
                return found
        outside = self.folder / path
        if any(_exists(outside.with_name(outside.name + suffix)) for suffix in ("", *PHOTO_SUFFIXES)):
            raise UserError(
                f"{where} {name!r} leads outside of the data set's folder {self.folder}: {self.way_out}"
            )
        return None

    def _inside(self, path: str) -> Path | None:
        """Return the file at a relative path without ``..``, or the one that comes nearest."""
        if "\0" in path:
            return None
        exact = self.folder / path
        if _exists(exact):
            return exact
        parent = self._folder(posixpath.dirname(path))
        if parent is None:
            return None
        names = self._names(parent)
        base = posixpath.basename(path)
        for candidate in (base, *(base + suffix for suffix in PHOTO_SUFFIXES)):
            if _key(candidate) in names:
                return names[_key(candidate)]
        stem, _, ending = base.rpartition(".")
        if not stem or f".{ending.lower()}" not in PHOTO_SUFFIXES:
            return None
        # Converted to another format, or with an ending that was added twice.
        converted = (names.get(_key(stem + suffix)) for suffix in (*PHOTO_SUFFIXES, ""))
        return next((file for file in converted if file is not None), None)

    def _folder(self, path: str) -> Path | None:
        """Return a folder by its relative path, in any case and normal form."""
        folder = self.folder
        for part in filter(None, path.split("/")):
            if (folder / part).is_dir():
                folder = folder / part
                continue
            match = self._names(folder).get(_key(part))
            if match is None or not match.is_dir():
                return None
            folder = match
        return folder if folder.is_dir() else None

    def _names(self, folder: Path) -> dict[str, Path]:
        if folder not in self._listed:
            try:
                entries = sorted(folder.iterdir())
            except OSError:
                entries = []
            self._listed[folder] = {
                _key(entry.name): entry for entry in entries if not entry.name.startswith("._")
            }
        return self._listed[folder]


def normal_path(name: str) -> str:
    """Return a path with slashes, without ``.`` and inner ``..``.

    >>> normal_path(".\\\\images\\\\0001.png")
    'images/0001.png'
    """
    return posixpath.normpath(name.replace("\\", "/"))


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _exists(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):  # a name that the file system does not allow
        return False
