"""A TensorBoard logger on the run hooks: writes a run's reports to ``tensorboard/`` in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nfcore.plugin import RunLogger

if TYPE_CHECKING:
    from nfcore_tensorboard.events_of_run import EventsOfRun


def open_log(run: Path) -> EventsOfRun:
    """Return the log of a run's folder; tensorboard is imported when its first stage starts."""
    from nfcore_tensorboard.events_of_run import EventsOfRun

    return EventsOfRun(run)


#: The plugin object that the entry point names.
logger = RunLogger(open_log)
