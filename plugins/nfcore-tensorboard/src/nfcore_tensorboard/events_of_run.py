"""The reports of one run as TensorBoard has them: a log for each stage, settings next to the scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from nfcore_tensorboard import settings
from nfcore_tensorboard.stage_log import StageLog

# The stage whose log has the configuration as text, and the one whose figures are for comparing runs.
_FIRST, _SCORES = "teach", "evaluate"


class EventsOfRun:
    """Writes each stage to a folder of its own in ``tensorboard/``.

    Args:
        folder: the nfcore run's folder.

    """

    log: StageLog  # of the stage that runs

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, stage: str) -> None:
        """Start the stage's log."""
        self.log = StageLog(self.folder / "tensorboard" / stage)

    def scalars(self, stage: str, step: int, scalars: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        if stage == _FIRST and self.log.events is None:
            self.log.text(step, "config", settings.text(self.folder))
        self.log.scalars(step, scalars)

    def image(self, stage: str, step: int, name: str, image: Tensor) -> None:
        """Add a preview: (height, width, 3) float32 RGB in [0, 1]."""
        self.log.image(step, name, image)

    def finish(self, stage: str, figures: Mapping[str, object]) -> None:
        """Add the numeric figures, for the evaluation with the run's settings."""
        if stage == _SCORES:
            self.log.settings(settings.values(self.folder), figures)
        self.log.figures(figures)

    def fail(self, stage: str, error: str) -> None:
        """Add the error as text at the last step."""
        self.log.text(self.log.step, "error", error)
