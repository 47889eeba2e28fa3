"""Photos that were costly to prepare, kept in the user's cache folder under a hash of what they were made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs

from nfcore.io import atomic_path

#: Raise it when the same photos are prepared differently: what older versions have kept is then not taken.
_VERSION = 1


def cache_folder() -> Path:
    """Return the folder of kept photos; it may be deleted at any time."""
    return platformdirs.user_cache_path("nfcore") / "photos"


def content_key(files: Iterable[Path], settings: str) -> str:
    """Return a hash of the bytes of ``files``, in order, and of the text ``settings``."""
    digest = hashlib.blake2b(f"{_VERSION} {settings}".encode(), digest_size=20)
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "blake2b").digest())
    return digest.hexdigest()


def kept(key: str, make: Callable[[], npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Return what is kept under ``key``, or what ``make`` returns, which is then kept where the disk allows it."""
    file = cache_folder() / f"{key}.npy"
    try:
        return np.asarray(np.load(file, allow_pickle=False), np.uint8)
    except (OSError, ValueError, EOFError):  # not there yet, or damaged: made again
        photos = make()
    try:
        with atomic_path(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, photos, allow_pickle=False)
    except OSError:
        pass  # a cache folder that can't be written costs time only
    return photos
