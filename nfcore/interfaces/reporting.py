"""What a stage tells the outside while it works, and where an interrupted one goes on."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from nfcore.io.tensors import State


class Reporter:
    """A stage's line to the outside. This one is silent and keeps nothing: use it in scripts and tests."""

    def start(self, total: int, unit: str = "step") -> None:
        """Say how much there is to do, once, at the beginning of a stage."""

    def step(self, step: int, **scalars: float) -> None:
        """Say that ``step`` of the total are done, with figures such as ``psnr``; call it as often as is handy."""

    def image(self, name: str, image: Tensor) -> None:
        """Show a picture (height, width, 3) float32 RGB in [0, 1]."""

    def note(self, text: str) -> None:
        """Say something that a person should know, in one line."""

    def image_due(self) -> bool:
        """Whether it is time for a preview: ask before rendering one."""
        return False

    def restore(self) -> State | None:
        """Return the state of this stage's last checkpoint, or None to begin from the start."""
        return None

    def checkpoint(self, step: int, state: Callable[[], State]) -> None:
        """Offer a checkpoint: ``state()`` is called and saved when one is due."""
