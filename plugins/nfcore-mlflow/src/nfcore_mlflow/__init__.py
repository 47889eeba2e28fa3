"""An MLflow logger on the run hooks: each nfcore run is a run of an MLflow experiment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nfcore.plugin import RunLogger

if TYPE_CHECKING:
    from nfcore_mlflow.tracked_run import TrackedRun


def open_log(run: Path) -> TrackedRun | None:
    """Return the tracked run of a run's folder, where the user named a place for it."""
    if "MLFLOW_TRACKING_URI" not in os.environ:
        return None
    from nfcore_mlflow.tracked_run import TrackedRun

    return TrackedRun(run)


#: The plugin object that the entry point names.
logger = RunLogger(open_log)
