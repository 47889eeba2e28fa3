"""The exponential moving average of a student's weights, which is smoother than the weights of any one step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nfcore.pipeline.batch_norm import batch_norms


class MovingAverage:
    """The average of trained weights, and of batch norm's running statistics, which belong to them.

    Polyak and Juditsky 1992 in the exponential form of Kingma and Ba 2015, section 7.2. In the beginning the
    average is over fewer steps than ``decay`` says, so that it does not hang on the first, random weights.

    Args:
        module: whose weights are averaged.
        decay: weight of the past in every step, in (0, 1): the average is over about 1 / (1 - decay) steps.

    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.current = [p.detach() for p in module.parameters() if p.requires_grad]
        for norm in batch_norms(module):
            self.current += [b for b in (norm.running_mean, norm.running_var) if b is not None]
        self.average = [tensor.clone() for tensor in self.current]

    def update(self, step: int) -> None:
        """Take the weights after ``step`` steps into the average."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.average, self.current, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the module hold the average meanwhile."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for current, average in zip(self.current, self.average, strict=True):
            kept = current.clone()
            current.copy_(average)
            average.copy_(kept)

    def keep(self) -> None:
        """Make the average the module's weights."""
        torch._foreach_copy_(self.current, self.average)

    def state(self) -> list[Tensor]:
        """Return the average, for a checkpoint."""
        return self.average

    def restore(self, state: list[Tensor]) -> None:
        """Go on from a checkpoint's average."""
        for average, saved in zip(self.average, state, strict=True):
            average.copy_(saved)
