"""Memory in a temporary file: it can be larger than RAM, and is freed with the tensor or the process."""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path

import torch
from torch import Tensor


def mapped_bytes(size: int, folder: Path) -> Tensor:
    """Return ``size`` bytes, (size,) uint8, in an unnamed temporary file in ``folder``.

    Raises:
        OSError: the folder can't be written to, or the disk is full.

    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        _reserve(file.fileno(), size)
        mapped = mmap.mmap(file.fileno(), size)
    return torch.frombuffer(mapped, dtype=torch.uint8)


def _reserve(descriptor: int, size: int) -> None:
    """Allocate the space now: if the disk were full later, writing to the mapping would kill the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    block = bytes(1 << 20)
    for start in range(0, size, len(block)):
        os.write(descriptor, block[: size - start])
