"""Storage of pseudo views: in memory, or in a memory-mapped file that needs no cleaning up."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from nfcore.errors import NfcoreError
from nfcore.io.mapped import mapped_bytes
from nfcore.runtime.memory import free_memory
from nfcore.views.training_views import COLOUR_BYTES

_GIB = 1 << 30


def allocate_views(
    count: int,
    height: int,
    width: int,
    *,
    bytes_per_pixel: int = COLOUR_BYTES,
    memory: float,
    disk: float = 0.0,
    folder: Path | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Allocate ``count`` views, or as many as fit: (n, height, width, bytes_per_pixel) uint8.

    The system allocates memory when it is written to. Views that don't all fit into ``memory`` are stored in a
    temporary file in ``folder`` if ``disk`` has space for more of them. The file has no name: it is deleted with
    the tensor, or with the process.

    Args:
        count: views wanted.
        height: of a view in pixels.
        width: of a view in pixels.
        bytes_per_pixel: 3 for RGB; 6 with opacity and depth.
        memory: GiB that the views may take in memory, that of ``device``.
        disk: GiB that they may take on the disk instead; 0 does not use the disk.
        folder: of the file; None does not use the disk.
        device: where the views are used.

    Raises:
        NfcoreError: not one view fits, or less memory or disk is free than requested.

    """
    shape = (height, width, bytes_per_pixel)
    view = math.prod(shape)
    in_memory, on_disk = (min(count, int(gib * _GIB / view)) for gib in (memory, disk if folder else 0.0))
    if folder is not None and on_disk > in_memory:
        return _on_disk(on_disk * view, folder).view(on_disk, *shape)
    if in_memory < 1:
        raise NfcoreError(
            f"no pseudo view of {height}x{width} fits into distill.view_memory = {memory} GiB: raise it"
        )
    return _in_memory(in_memory * view, torch.device(device)).view(in_memory, *shape)


def _in_memory(size: int, device: torch.device) -> Tensor:
    free = free_memory(device)
    if free is not None and size > free:
        raise _too_little(size, f"only {free / _GIB:.2f} GiB of memory are free")
    try:
        return torch.empty(size, dtype=torch.uint8, device=device)
    except RuntimeError as error:  # torch's out-of-memory errors, on any device
        raise _too_little(size, str(error).splitlines()[0]) from None


def _too_little(size: int, reason: str) -> NfcoreError:
    return NfcoreError(
        f"the pseudo views take {size / _GIB:.2f} GiB, but {reason}: lower distill.view_memory "
        "(new views then replace the oldest) or set distill.view_disk"
    )


def _on_disk(size: int, folder: Path) -> Tensor:
    try:
        return mapped_bytes(size, folder)
    except OSError as error:
        raise NfcoreError(
            f"{folder}: no space for {size / _GIB:.2f} GiB of pseudo views ({error.strerror}): "
            "free some space or lower distill.view_disk"
        ) from None
