"""Reading of files: only regular ones are opened, and no more is read than such a file may have."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from nfcore.errors import UserError

#: The file that was opened last, for errors that do not name theirs.
last_read: Path | None = None

#: Greatest size in bytes of a file of text: a pipeline, a manifest, poses.
MOST_TEXT = 64 << 20

# Opening a pipe would wait for its writer, and opening a device may do anything.
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def check_file(path: Path) -> None:
    """Check, without opening it, that ``path`` is a regular file or a link to one.

    Raises:
        UserError: it is missing, or a folder, pipe, device, socket or endless link.

    """
    global last_read
    last_read = path
    try:
        found = path.stat()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # a link to itself; a name with a null character
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{path}: is {_KINDS.get(stat.S_IFMT(found.st_mode), 'something else')}, not a file")


def open_file(path: Path) -> BufferedReader:
    """Open a regular file for reading bytes.

    >>> _ = Path("figures.txt").write_text("30.5")
    >>> with open_file(Path("figures.txt")) as file:
    ...     file.read()
    b'30.5'

    Raises:
        UserError: it is missing, can't be read, or is a folder, pipe, device, socket or endless link.

    """
    check_file(path)
    try:  # not blocking: the file may have been replaced by a pipe since it was checked
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise UserError(f"{path}: is not a file any more")
    return file


def read_file(path: Path, most: int = MOST_TEXT) -> bytes:
    """Return the content of a regular file of at most ``most`` bytes.

    >>> _ = Path("figures.txt").write_text("30.5")
    >>> read_file(Path("figures.txt"))
    b'30.5'

    Raises:
        UserError: as ``open_file``; or the file is larger.

    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            data = file.read(size + 1) if size <= most else b""
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
    if len(data) > size:
        raise UserError(f"{path}: is still being written: try again when it is whole")
    if size > most:
        raise UserError(f"{path}: larger than {most >> 20} MiB, more than such a file may have")
    return data


def read_text(path: Path, most: int = MOST_TEXT) -> str:
    """Return the text of a regular file of at most ``most`` bytes.

    >>> _ = Path("note.txt").write_text("30.5 dB")
    >>> read_text(Path("note.txt"))
    '30.5 dB'

    Raises:
        UserError: as ``read_file``; or it is not UTF-8.

    """
    try:
        return read_file(path, most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not text in UTF-8: {error.reason} at byte {error.start}") from None


def inside(path: Path, folder: Path) -> bool:
    """Whether ``path``, with all links followed, is a regular file in ``folder`` or below it."""
    try:
        return path.is_file() and path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return False
