"""Contexts that limit torch's CPU threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` CPU threads within the context.

    >>> with limited_threads(2):
    ...     torch.get_num_threads()
    2
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def single_thread() -> Iterator[None]:
    """Let torch use one CPU thread within the context.

    For thousands of small operations: threads that wait for each other after each one are no faster on an idle
    machine, and take many times the processor time on a busy one.
    """
    with limited_threads(1):
        yield
