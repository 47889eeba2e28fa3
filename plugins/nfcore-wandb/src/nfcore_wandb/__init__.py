"""A Weights & Biases logger on the run hooks: each nfcore run is a run of a W&B project, offline by default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nfcore.plugin import RunLogger

if TYPE_CHECKING:
    from nfcore_wandb.tracked_run import TrackedRun


def open_log(run: Path) -> TrackedRun | None:
    """Return the tracked run of a run's folder, or None where W&B is disabled."""
    if os.environ.get("WANDB_MODE") == "disabled":
        return None
    from nfcore_wandb.tracked_run import TrackedRun

    return TrackedRun(run)


#: The plugin object that the entry point names.
logger = RunLogger(open_log)
