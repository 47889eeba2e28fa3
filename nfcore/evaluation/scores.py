"""Scores on a set of views: each metric of each view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Evaluation:
    """The scores on a set of views.

    Args:
        scores: a value per view, by metric.
        names: of the views.

    >>> Evaluation({"psnr": (30.0, 32.0)}, ("a.png", "b.png")).mean
    {'psnr': 31.0}

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
