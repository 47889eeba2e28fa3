"""How a stage reports its progress, and from which checkpoint an interrupted one resumes."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from nfcore.io.tensors import State


class Reporter:
    """Receives a stage's progress, previews and checkpoints.

    This base class is silent and saves nothing: use it in scripts and tests.

    >>> teacher.fit(source, nfcore.Budget(steps=100), nfcore.Reporter())  # doctest: +SKIP

    """

    def start(self, total: int, unit: str = "step") -> None:
        """Announce how much there is to do, once, at the start of a stage."""

    def step(self, step: int, **scalars: float) -> None:
        """Report that ``step`` of the total are done, with figures such as ``psnr``; call it often."""

    def image(self, name: str, image: Tensor) -> None:
        """Show a picture (height, width, 3) float32 RGB in [0, 1]."""

    def note(self, text: str) -> None:
        """Show the user a message of one line."""

    def image_due(self) -> bool:
        """Whether a preview is due: check before rendering one."""
        return False

    def restore(self) -> State | None:
        """Return the state of this stage's last checkpoint, or None to start from the beginning."""
        return None

    def checkpoint(self, step: int, state: Callable[[], State]) -> None:
        """Offer a checkpoint: ``state()`` is called and saved when one is due."""


class ForwardingReporter(Reporter):
    """Forwards everything to another reporter; subclasses override what they change.

    For a teacher that fits another one as a part of its own fit, and saves that one's checkpoints within its own.

    Args:
        reporter: the other reporter.

    """

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter

    def start(self, total: int, unit: str = "step") -> None:  # noqa: D102
        self.reporter.start(total, unit)

    def step(self, step: int, **scalars: float) -> None:  # noqa: D102
        self.reporter.step(step, **scalars)

    def image(self, name: str, image: Tensor) -> None:  # noqa: D102
        self.reporter.image(name, image)

    def note(self, text: str) -> None:  # noqa: D102
        self.reporter.note(text)

    def image_due(self) -> bool:  # noqa: D102
        return self.reporter.image_due()

    def restore(self) -> State | None:  # noqa: D102
        return self.reporter.restore()

    def checkpoint(self, step: int, state: Callable[[], State]) -> None:  # noqa: D102
        self.reporter.checkpoint(step, state)
