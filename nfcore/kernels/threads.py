"""A kernel's work on threads: numba's own threads can't be shared by callers, and compete with torch's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Threads beyond these gain little: kernels wait for memory, and each thread has gradients of its own.
_MOST_THREADS = 8


def thread_count() -> int:
    """Return how many threads a kernel's work is divided among: as many as torch uses, 8 at most."""
    import torch

    return min(_MOST_THREADS, torch.get_num_threads())


def in_parts(work: Callable[[int], Result], parts: int) -> list[Result]:
    """Return ``work(part)`` of all parts, which run at the same time: kernels release Python's lock.

    The calling thread takes part 0. Which part is whose never changes a result: what parts share is read only.

        >>> in_parts(lambda part: part * part, 3)
        [0, 1, 4]
    """
    others = [_pool().submit(work, part) for part in range(1, parts)]
    try:
        first = work(0)
    finally:  # what others write to must not be freed before they are done
        results = [other.exception() or other.result() for other in others]
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [first, *results]  # type: ignore[list-item]


def in_turn(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """Return ``work(item)`` of all items, in their order: a thread that is done with one takes the next.

    For items that take unequal times, or hold Python's lock; which thread does which never changes a result.

        >>> in_turn(lambda item: item * item, [1, 2, 3], 2)
        [1, 4, 9]
    """
    results: dict[int, Result] = {}
    remaining = iter(range(len(items)))

    def take(_: int) -> None:
        for index in remaining:
            results[index] = work(items[index])

    in_parts(take, min(threads, max(1, len(items))))
    return [results[index] for index in range(len(items))]


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(8 * _MOST_THREADS, thread_name_prefix="nfcore-kernel")
