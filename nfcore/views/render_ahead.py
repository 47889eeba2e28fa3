"""Renders views in the background, in order, a little ahead of when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import torch

from nfcore.runtime.threads import single_thread

# Views that may wait to be fetched: enough that one slow view delays nothing, few enough to cost no memory.
_AHEAD = 4

T = TypeVar("T")


class RenderAhead(Generic[T]):
    """Calls ``render(i)`` for i = 0, 1, 2, ... in threads; a thread that waits for one renders others.

    Each view is rendered with one torch thread, so its pixels don't depend on which thread renders it. Threads,
    not processes: torch releases the global lock while it computes, nothing has to be copied, and it works with
    any teacher that returns the same result in every thread.

    Args:
        render: renders view i; called from several threads at once.
        count: number of views.
        workers: number of threads; 0 renders each view when it is needed.

    """

    def __init__(self, render: Callable[[int], T], count: int, workers: int) -> None:
        self.render, self.count = render, count
        self._scheduled: dict[int, Future[T]] = {}
        self._next = 0
        self._pool = (
            ThreadPoolExecutor(workers, "nfcore-views", initializer=torch.set_num_threads, initargs=(1,))
            if workers
            else None
        )

    def take(self, indices: range) -> Iterator[T]:
        """Yield the views with these indices in order, and start those after them. Indices never decrease.

        Raises:
            Exception: what ``render`` raised for a view, when that view is due.

        """
        self._schedule(indices.start, min(indices.stop + _AHEAD, self.count))
        for index in indices:
            if index not in self._scheduled:
                self._render_here(index)
            while not self._scheduled[index].done() and (other := self._cancel_next()) is not None:
                self._render_here(other)
            yield self._scheduled.pop(index).result()

    def close(self) -> None:
        """Cancel the views that have not started and wait for the others."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _schedule(self, start: int, stop: int) -> None:
        for index in [index for index in self._scheduled if index < start]:
            self._scheduled.pop(index).cancel()
        if self._pool:
            for index in range(max(start, self._next), stop):
                self._scheduled[index] = self._pool.submit(self.render, index)
            self._next = max(self._next, stop)

    def _cancel_next(self) -> int | None:
        """Cancel the first view that has not started and return its index, or None if there is none."""
        return next((index for index, future in self._scheduled.items() if future.cancel()), None)

    def _render_here(self, index: int) -> None:
        future: Future[T] = Future()
        try:
            with single_thread():
                future.set_result(self.render(index))
        except Exception as error:
            future.set_exception(error)
        self._scheduled[index] = future
