"""The memory that this process uses, and what is free."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import psutil

from nfcore.errors import UserError

if TYPE_CHECKING:
    import torch

_GIB = 1 << 30


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that can be used on ``device`` without swapping, or None where the system doesn't say.

    >>> free_memory(torch.device("cpu")) > 0
    True
    """
    if device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0]
    return int(psutil.virtual_memory().available) if device.type == "cpu" else None


def require_memory(size: int, device: torch.device, what: str, advice: str) -> None:
    """Refuse work that would exceed the free memory: the system would kill it later.

    Args:
        size: bytes that it takes.
        device: where it runs.
        what: names it, such as "a grid of 512 voxels".
        advice: what would help, such as "lower teacher.resolution".

    Raises:
        UserError: less memory is free.

    >>> require_memory(1 << 60, torch.device("cpu"), "a grid of 9000 voxels", "lower teacher.resolution")
    ... # doctest: +ELLIPSIS
    Traceback (most recent call last):
    nfcore.errors.UserError: a grid of 9000 voxels takes about 1073741824.0 GiB...: lower teacher.resolution

    """
    free = free_memory(device)
    if free is not None and size > free:
        raise UserError(
            f"{what} takes about {size / _GIB:.1f} GiB of memory, and {free / _GIB:.1f} are free: {advice}"
        )


def resident() -> int:
    """Return the bytes of RAM that this process uses (resident set size)."""
    return int(psutil.Process().memory_info().rss)


def on_gpu() -> int | None:
    """Return the bytes that torch has reserved on the GPU, or None if it uses none."""
    torch = sys.modules.get("torch")  # the progress display need not import it
    if torch is None or not torch.cuda.is_initialized():
        return None
    return int(torch.cuda.memory_reserved())


def in_words() -> str:
    """Return the memory in use as text: ``1.2 GB``, with a GPU ``1.2 GB + 3.4 GB GPU``."""
    gpu = on_gpu()
    return _gigabytes(resident()) + (f" + {_gigabytes(gpu)} GPU" if gpu is not None else "")


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
