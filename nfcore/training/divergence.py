"""Detects that a training has diverged: the student has collapsed to one colour."""

from __future__ import annotations

import math

from nfcore.errors import NfcoreError
from nfcore.io.tensors import State

_LEARNED, _COLLAPSED = 10**-1.6, 10**-1.0  # squared errors: 16 dB and 10 dB


class DivergenceDetector:
    """Keeps the running mean of the squared error, which is reported, and detects a collapse from it.

    A student whose last layer saturates renders one colour everywhere, at a finite loss: its PSNR falls below
    10 dB, which any student that learns exceeds in its first steps, and does not recover.
    """

    def __init__(self) -> None:
        self.error, self.least = 0.0, 1.0

    def update(self, squared_error: float, step: int) -> float:
        """Add the squared error at ``step`` and return the running mean.

        Raises:
            DivergedError: the student has collapsed.

        """
        memory = 0.9 if self.error else 0.0
        self.error = memory * self.error + (1 - memory) * squared_error
        self.least = min(self.least, self.error)
        if self.least < _LEARNED and self.error > _COLLAPSED:
            now, before = -10 * math.log10(self.error), -10 * math.log10(self.least)
            raise DivergedError(f"the student has collapsed: {now:.1f} dB at step {step}, after {before:.1f} dB")
        return self.error

    def state(self) -> State:
        """Return the running mean and the least one, for a checkpoint."""
        return [self.error, self.least]

    def restore(self, state: State) -> None:
        """Resume from a checkpoint's state."""
        self.error, self.least = state


class DivergedError(NfcoreError):
    """A training has diverged: the same settings would diverge again.

    Args:
        what: what happened, and at which step.

    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: lower learning_rate or set precision=fp32")
