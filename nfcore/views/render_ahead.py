"""Views rendered in the background, in their order, a little ahead of when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import torch

from nfcore.runtime.threads import single_thread

# Views that may wait to be fetched: enough that one slow view holds nobody up, few enough to cost no memory.
_AHEAD = 4

T = TypeVar("T")


class RenderAhead(Generic[T]):
    """Calls ``render(i)`` for i = 0, 1, 2, ... in threads; whoever has to wait for a view helps meanwhile.

    Each view is rendered by one torch thread, whichever that is, so its pixels don't depend on who renders it.
    Threads, not processes: torch lets others run while it computes, nothing has to be copied, and any teacher
    works that gives the same result in every thread.

    Args:
        render: makes view i; called from several threads at once.
        count: number of views.
        workers: number of threads; 0 renders each view when it is asked for.

    """

    def __init__(self, render: Callable[[int], T], count: int, workers: int) -> None:
        self.render, self.count = render, count
        self._ordered: dict[int, Future[T]] = {}
        self._next = 0
        self._pool = (
            ThreadPoolExecutor(workers, "nfcore-views", initializer=torch.set_num_threads, initargs=(1,))
            if workers
            else None
        )

    def take(self, indices: range) -> Iterator[T]:
        """Yield the views with these indices in turn; begin those after them. Indices never go back.

        Raises:
            Exception: what ``render`` raised for a view, when it is that view's turn.

        """
        self._order(indices.start, min(indices.stop + _AHEAD, self.count))
        for index in indices:
            if index not in self._ordered:
                self._render_here(index)
            while not self._ordered[index].done() and (other := self._not_begun()) is not None:
                self._render_here(other)
            yield self._ordered.pop(index).result()

    def close(self) -> None:
        """Drop what is not begun and wait for what is."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _order(self, start: int, stop: int) -> None:
        for index in [index for index in self._ordered if index < start]:
            self._ordered.pop(index).cancel()
        if self._pool:
            for index in range(max(start, self._next), stop):
                self._ordered[index] = self._pool.submit(self.render, index)
            self._next = max(self._next, stop)

    def _not_begun(self) -> int | None:
        return next((index for index, future in self._ordered.items() if future.cancel()), None)

    def _render_here(self, index: int) -> None:
        future: Future[T] = Future()
        try:
            with single_thread():
                future.set_result(self.render(index))
        except Exception as error:
            future.set_exception(error)
        self._ordered[index] = future
