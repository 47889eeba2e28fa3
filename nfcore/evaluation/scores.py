"""Quality on a set of views: each metric, view by view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Evaluation:
    """Quality on a set of views.

    Args:
        scores: of each metric by name: a value for each view.
        names: of the views.

    """

    scores: Mapping[str, tuple[float, ...]]
    names: tuple[str, ...]

    @property
    def psnr(self) -> tuple[float, ...]:
        """PSNR of each view, dB."""
        return self.scores["psnr"]

    @property
    def ssim(self) -> tuple[float, ...]:
        """SSIM of each view."""
        return self.scores["ssim"]

    @property
    def mean(self) -> dict[str, float]:
        """The means over all views, by metric."""
        return {metric: sum(values) / len(values) for metric, values in self.scores.items()}
