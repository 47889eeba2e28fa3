"""The event files of one stage, in a folder of its own, so that TensorBoard can hide rows after a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from torch.utils.tensorboard import summary

from nfcore_tensorboard.event_file import EventFile


class StageLog:
    """Writes the reports of one stage.

    The first event makes TensorBoard hide those that an earlier process wrote for the same or later steps: they
    came after the checkpoint that the stage resumed from.

    Args:
        folder: the folder of the event files; created with the first event.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: EventFile | None = None
        self.step = 0

    def scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add a point to each curve at ``step``."""
        self._at(step).add(step, *(summary.scalar(name, value) for name, value in scalars.items()))

    def image(self, step: int, name: str, image: Tensor) -> None:
        """Add an image (height, width, 3) float32 RGB in [0, 1] at ``step``."""
        self._at(step).add(step, summary.image(name, image.clamp(0, 1), dataformats="HWC"))

    def text(self, step: int, name: str, text: str) -> None:
        """Add a text in Markdown at ``step``."""
        self._at(step).add(step, summary.text(name, text))

    def settings(self, settings: Mapping[str, bool | float | str], figures: Mapping[str, object]) -> None:
        """Add the settings and figures to TensorBoard's table of runs (HParams)."""
        self._at(self.step).add(self.step, *summary.hparams(dict(settings), _points(figures)))

    def figures(self, figures: Mapping[str, object]) -> None:
        """Add the numeric figures at the last step."""
        self.scalars(self.step, _points(figures))

    def _at(self, step: int) -> EventFile:
        if self.events is None:
            self.events = EventFile(self.folder, step)
        self.step = step
        return self.events


def _points(figures: Mapping[str, object]) -> dict[str, float]:
    return {f"figures/{name}": value for name, value in figures.items() if isinstance(value, int | float)}
