"""A cache of prepared photos in the user's cache folder, by a hash of their sources."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs

from nfcore.io import atomic_path, open_file

#: Raise it when photos are prepared differently, so that files of older versions are not used.
_VERSION = 2


def cache_folder() -> Path:
    """Return the cache folder; it may be deleted at any time."""
    return platformdirs.user_cache_path("nfcore") / "photos"


def content_key(files: Iterable[Path], settings: str) -> str:
    """Return a hash of the bytes of ``files``, in order, and of the text ``settings``."""
    digest = hashlib.blake2b(f"{_VERSION} {settings}".encode(), digest_size=20)
    for file in files:
        with open_file(file) as stream:
            digest.update(hashlib.file_digest(stream, "blake2b").digest())
    return digest.hexdigest()


def kept(key: str, make: Callable[[], npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Return the cached array of ``key``, or that of ``make``, which is then cached if possible."""
    file = cache_folder() / f"{key}.npy"
    try:
        return np.asarray(np.load(file, allow_pickle=False), np.uint8)
    except (OSError, ValueError, EOFError):  # missing or damaged: made again
        photos = make()
    try:
        plain = np.ascontiguousarray(photos)
        with atomic_path(file) as temporary, temporary.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(plain))
            stream.write(plain.data)  # with np.save, a full disk would go unnoticed
    except OSError:
        pass  # a cache folder that can't be written costs time only
    return photos
