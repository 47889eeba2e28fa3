"""The memory that this process uses."""

from __future__ import annotations

import sys

import psutil


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
