"""A Weights & Biases logger on the run hooks: each nfcore run is a run of a W&B project, offline by default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import nfcore

if TYPE_CHECKING:
    from torch import Tensor

    from nfcore_wandb.tracked_run import TrackedRun


class Logger:
    """Keeps the tracked run of each nfcore run; imports wandb when the first stage starts."""

    def __init__(self) -> None:
        self.tracked: dict[Path, TrackedRun] = {}

    @nfcore.hookimpl
    def nfcore_stage_started(self, run: Path, stage: str) -> None:
        """Find or create the tracked run, unless W&B is disabled."""
        if os.environ.get("WANDB_MODE") == "disabled":
            return
        from nfcore_wandb.tracked_run import TrackedRun

        if run not in self.tracked:
            self.tracked[run] = TrackedRun(run)
        self.tracked[run].start(stage)

    @nfcore.hookimpl
    def nfcore_step(self, run: Path, stage: str, step: int, scalars: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        if run in self.tracked:
            self.tracked[run].scalars(stage, step, scalars)

    @nfcore.hookimpl
    def nfcore_images(self, run: Path, stage: str, step: int, name: str, image: Tensor) -> None:
        """Add a preview."""
        if run in self.tracked:
            self.tracked[run].image(stage, step, name, image)

    @nfcore.hookimpl
    def nfcore_stage_finished(self, run: Path, stage: str, figures: Mapping[str, object]) -> None:
        """Add the stage's figures to the summary."""
        if run in self.tracked:
            self.tracked[run].finish(stage, figures)

    @nfcore.hookimpl
    def nfcore_run_failed(self, run: Path, error: str) -> None:
        """Mark the tracked run as failed, with the error in its summary, and close it."""
        if run in self.tracked:
            self.tracked.pop(run).fail(error)


#: The plugin object that the entry point names.
logger = Logger()
