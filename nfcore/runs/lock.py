"""The lock of a run's folder: one process at a time works on a run, and the lock says which."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import Field

from nfcore.errors import NfcoreError, UserError
from nfcore.io.atomic import naming
from nfcore.io.records import Count, Moment, Name, Record, read_record

#: The lock's file in a run's folder.
LOCK = Path("state", "run.lock")

# File systems that have no locks, such as some network drives, answer with one of these.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP)


class Holder(Record):
    """The process that holds a lock, as written into the lock's file."""

    process: Count = Field(description="Its id")
    host: Name = Field(description="Its machine")
    since: Moment = Field(description="When it took the lock, in UTC")

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"


@contextmanager
def locked(folder: Path, note: Callable[[str], None], patience: float = 0.0) -> Iterator[None]:
    """Hold the lock of the run in ``folder``, which is created; again in the same process, it does nothing.

    The system releases it when the process ends, however it does.

    Args:
        folder: the run's folder.
        note: prints a line if the file system has no locks.
        patience: seconds to wait for a process that is ending.

    Raises:
        NfcoreError: another process works on the run; names it.

    """
    (folder / LOCK).parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, is_singleton=True, fallback_to_soft=False, thread_local=False)
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        raise NfcoreError(f"{folder}: {_holder(folder)} works on this run: wait for it, or stop it") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        note(f"{folder}: this file system has no locks: make sure that no other process works on this run")
        yield
        return
    try:
        if lock.lock_counter == 1:
            holder = Holder(process=os.getpid(), host=socket.gethostname(), since=datetime.now(UTC))
            with naming(folder / LOCK):
                (folder / LOCK).write_text(holder.model_dump_json(), encoding="utf-8")
        yield
    finally:
        lock.release()


def _holder(folder: Path) -> str:
    try:
        return str(read_record(folder / LOCK, Holder))
    except UserError:  # it has just taken the lock
        return "another process"
