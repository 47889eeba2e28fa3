"""A TensorBoard logger on the run hooks: writes a run's reports to ``tensorboard/`` in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import nfcore

if TYPE_CHECKING:
    from torch import Tensor

    from nfcore_tensorboard.stage_log import StageLog


# The stage whose log has the configuration as text, and the one whose figures are for comparing runs.
_FIRST, _SCORES = "teach", "evaluate"


class Logger:
    """Keeps one log for each running stage; imports tensorboard when the first one starts."""

    def __init__(self) -> None:
        self.logs: dict[tuple[Path, str], StageLog] = {}

    @nfcore.hookimpl
    def nfcore_stage_started(self, run: Path, stage: str) -> None:
        """Start a log."""
        from nfcore_tensorboard.stage_log import StageLog

        self.logs[run, stage] = StageLog(run / "tensorboard" / stage)

    @nfcore.hookimpl
    def nfcore_step(self, run: Path, stage: str, step: int, scalars: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        log = self.logs[run, stage]
        if stage == _FIRST and log.events is None:
            from nfcore_tensorboard import settings

            log.text(step, "config", settings.text(run))
        log.scalars(step, scalars)

    @nfcore.hookimpl
    def nfcore_images(self, run: Path, stage: str, step: int, name: str, image: Tensor) -> None:
        """Add a preview."""
        self.logs[run, stage].image(step, name, image)

    @nfcore.hookimpl
    def nfcore_stage_finished(self, run: Path, stage: str, figures: Mapping[str, object]) -> None:
        """Add the numeric figures, for the evaluation with the run's settings."""
        log = self.logs.pop((run, stage))
        if stage == _SCORES:
            from nfcore_tensorboard import settings

            log.settings(settings.values(run), figures)
        log.figures(figures)

    @nfcore.hookimpl
    def nfcore_run_failed(self, run: Path, stage: str, error: str) -> None:
        """Add the error as text at the last step."""
        log = self.logs.pop((run, stage))
        log.text(log.step, "error", error)


#: The plugin object that the entry point names.
logger = Logger()
