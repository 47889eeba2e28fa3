"""An event file of TensorBoard, written by the caller: what a disk refuses is raised where it was reported."""

from __future__ import annotations

import itertools
import os
import platform
import time
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

_VERSION = "brain.Event:2"
_counter = itertools.count()


class EventFile:
    """Appends events to a file of its own in a folder.

    TensorBoard's own ``EventFileWriter`` writes from a thread, which a full disk ends with a traceback on the
    terminal. Reports come a few times a second: each is written, and on the disk, before ``add`` returns.

    Args:
        folder: is created. TensorBoard hides events of earlier files in it at ``step`` and later.
        step: where the stage starts or resumes.

    Raises:
        OSError: it can't be written.

    """

    def __init__(self, folder: Path, step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        own = f"{platform.node()}.{os.getpid()}.{next(_counter)}"
        self.path = folder / f"events.out.tfevents.{int(time.time()):010d}.{own}"
        self._append(Event(file_version=_VERSION))
        self._append(Event(step=step, session_log=SessionLog(status=SessionLog.START)))

    def add(self, step: int, *summaries: Summary) -> None:
        """Append each of ``summaries`` as an event of ``step``.

        Raises:
            OSError: it can't be written.

        """
        self._append(*(Event(step=step, summary=summary) for summary in summaries))

    def _append(self, *events: Any) -> None:
        with self.path.open("ab") as file:
            records = RecordWriter(file)
            for event in events:
                event.wall_time = time.time()
                records.write(event.SerializeToString())
