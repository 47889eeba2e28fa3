"""A disk that fails: what ``test_failing_disks.py`` lets commands write to."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple


class Write(NamedTuple):
    """What changes a disk: its kind, which is the name of Python's audit event, and the path that it is for."""

    kind: str
    path: str


@contextmanager
def failing(folder: Path, error: int, first: int) -> Iterator[list[Write]]:
    """Let writes below ``folder`` fail with the number ``error``, except the ``first`` ones; yields the failed.

    Files that are opened for writing, folders that are made, and renamed ones count, by Python's audit events.
    """
    count, failed = 0, []

    def fail(write: Write) -> None:
        nonlocal count
        count += 1
        if count > first:
            failed.append(write)
            raise OSError(error, os.strerror(error), write.path)

    with _watching(folder, fail):
        yield failed


@contextmanager
def counting(folder: Path) -> Iterator[list[Write]]:
    """Yield the list of writes below ``folder``, which grows."""
    writes: list[Write] = []
    with _watching(folder, writes.append):
        yield writes


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let a file become at most ``size`` bytes large, also those of child processes and libraries in C."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def _watching(folder: Path, called: Callable[[Write], object]) -> Iterator[None]:
    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if not _writes(event, arguments):
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 - links are not followed
        if path.startswith(f"{folder}{os.sep}"):
            called(Write(event, path))

    _watchers.append(watch)
    try:
        yield
    finally:
        _watchers.remove(watch)


def _writes(event: str, arguments: tuple[Any, ...]) -> bool:
    if event not in ("open", "os.mkdir", "os.rename") or not isinstance(arguments[0], str | bytes | os.PathLike):
        return False
    return event != "open" or bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


_watchers: list[Callable[[str, tuple[Any, ...]], None]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    for watcher in _watchers:
        watcher(event, arguments)


sys.addaudithook(_audit)  # for good: Python can't remove one
