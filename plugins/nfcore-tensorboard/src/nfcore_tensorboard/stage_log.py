"""The event files of one stage, in a folder of its own, so that TensorBoard can hide rows after a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

# The most that a killed run loses; checkpoints are taken every 15 seconds.
_FLUSH_SECONDS = 1


class StageLog:
    """Writes the reports of one stage.

    The first event makes TensorBoard hide those that an earlier process wrote for the same or later steps: they
    came after the checkpoint that the stage resumed from.

    Args:
        folder: the folder of the event files; created with the first event.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer: SummaryWriter | None = None
        self.step = 0

    def scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add a point to each curve at ``step``."""
        writer = self._at(step)
        for name, value in scalars.items():
            writer.add_scalar(name, value, step)

    def image(self, step: int, name: str, image: Tensor) -> None:
        """Add an image (height, width, 3) float32 RGB in [0, 1] at ``step``."""
        self._at(step).add_image(name, image.clamp(0, 1), step, dataformats="HWC")

    def text(self, step: int, name: str, text: str) -> None:
        """Add a text in Markdown at ``step``."""
        self._at(step).add_text(name, text, step)

    def settings(self, settings: Mapping[str, bool | float | str], figures: Mapping[str, object]) -> None:
        """Add the settings and figures to TensorBoard's table of runs (HParams)."""
        scored = {f"figures/{name}": value for name, value in figures.items() if isinstance(value, int | float)}
        event_file: Any = self._at(self.step).file_writer  # torch's own types say None
        for summary in hparams(dict(settings), scored):
            event_file.add_summary(summary)

    def finish(self, figures: Mapping[str, object]) -> None:
        """Add the numeric figures at the last step, and close the files."""
        writer = self._at(self.step)
        for name, value in figures.items():
            if isinstance(value, int | float):
                writer.add_scalar(f"figures/{name}", value, self.step)
        writer.close()

    def fail(self, error: str) -> None:
        """Add the error as text at the last step, and close the files."""
        writer = self._at(self.step)
        writer.add_text("error", error, self.step)
        writer.close()

    def _at(self, step: int) -> SummaryWriter:
        if self.writer is None:
            self.writer = SummaryWriter(str(self.folder), purge_step=step, flush_secs=_FLUSH_SECONDS)
        self.step = step
        return self.writer
