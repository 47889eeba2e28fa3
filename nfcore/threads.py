"""How many CPU threads torch uses for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def single_thread() -> Iterator[None]:
    """Keep torch to one thread meanwhile, then give it back what it had.

    For work that is thousands of small operations: threads that wait for each other after every one of them gain
    nothing on an idle machine, and on a busy one cost many times the processor time.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
