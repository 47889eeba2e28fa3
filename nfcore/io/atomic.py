"""Atomic files: written to a temporary path, synced, then renamed."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# The names that tempfile chooses for folders with the prefix below.
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to ``path``; on success it replaces ``path``, on failure it is deleted.

    It may become a file or a folder; a folder replaces an existing one. An ``OSError`` about the temporary path,
    or about none, such as that of a full disk, names ``path`` instead.

    >>> with atomic_path(Path("model.bin")) as temporary:
    ...     _ = temporary.write_bytes(bytes(4))
    >>> Path("model.bin").stat().st_size
    4
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}."
    with (
        naming(path, str(path.parent / prefix)),
        tempfile.TemporaryDirectory(dir=path.parent, prefix=prefix, ignore_cleanup_errors=True) as folder,
    ):
        temporary = Path(folder) / path.name
        yield temporary
        if temporary.is_dir():
            _replace_folder(temporary, path)
        else:
            _sync(temporary)
            temporary.replace(path)
    _sync(path.parent)


def sweep(folder: Path) -> None:
    """Delete what ``atomic_path`` left in ``folder`` when its process was killed."""
    for left in folder.glob(".*.*") if folder.is_dir() else ():
        if _TEMPORARY.fullmatch(left.name) and left.is_dir():
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def naming(path: Path, temporary: str | None = None) -> Iterator[None]:
    """Name ``path`` in an error that names no file, such as that of a full disk, or one ``temporary...``."""
    try:
        yield
    except OSError as error:
        if error.filename is None or (temporary and str(error.filename).startswith(temporary)):
            # A new error: PyAV's have names that can't be changed.
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise


def _replace_folder(new: Path, path: Path) -> None:
    for file in new.rglob("*"):
        _sync(file)
    old = new.with_name("replaced")
    if path.exists():
        path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write ``data`` (text as UTF-8) to ``path``: at any time it has either the old or the new content."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` to ``path`` as indented JSON, atomically.

    >>> write_json(Path("figures.json"), {"psnr": 30.5})
    >>> print(Path("figures.json").read_text(), end="")
    {
      "psnr": 30.5
    }
    """
    write_atomic(path, json.dumps(value, indent=2) + "\n")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
