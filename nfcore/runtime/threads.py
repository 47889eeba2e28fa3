"""How many CPU threads torch uses for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads meanwhile, then give it back what it had."""
    threads = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def single_thread() -> Iterator[None]:
    """Keep torch to one thread meanwhile, then give it back what it had.

    For work that is thousands of small operations: threads that wait for each other after every one of them gain
    nothing on an idle machine, and on a busy one cost many times the processor time.
    """
    with limited_threads(1):
        yield
