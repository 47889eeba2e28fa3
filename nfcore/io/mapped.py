"""Memory that is a temporary file: larger than RAM, and gone with the tensor or with the process."""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path

import torch
from torch import Tensor


def mapped_bytes(size: int, folder: Path) -> Tensor:
    """Return room for ``size`` bytes, (size,) uint8, in a temporary file in ``folder`` that has no name.

    Raises:
        OSError: the folder can't be written to, or the disk is too full.

    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        _reserve(file.fileno(), size)
        mapped = mmap.mmap(file.fileno(), size)
    return torch.frombuffer(mapped, dtype=torch.uint8)


def _reserve(descriptor: int, size: int) -> None:
    """Take the space now: a disk that is full later would kill the process when it writes to the mapping."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    block = bytes(1 << 20)
    for start in range(0, size, len(block)):
        os.write(descriptor, block[: size - start])
