"""Chooses frames of a video: evenly spread, the sharpest of each stretch, none that looks like the one before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

#: Grey values of thumbnails, as a share of their contrast, that a camera standing still does not exceed.
_STILL = 0.04
#: Sides of thumbnails, pixels.
_THUMBNAIL = 32


@dataclass(frozen=True)
class Look:
    """What is remembered of a frame.

    Args:
        index: its place in the video.
        sharpness: the mean squared Laplacian of its brightness, as a share of the mean brightness squared.
        thumbnail: (32, 32) brightness, mean 0 and variance 1.

    """

    index: int
    sharpness: float
    thumbnail: NDArray[np.float32]


def look_at(index: int, pixels: NDArray[np.uint8]) -> Look:
    """Return what is remembered of the frame ``pixels`` (height, width, 3), which may be scaled down.

    >>> look_at(0, np.zeros((48, 64, 3), np.uint8)).sharpness
    0.0
    """
    grey = pixels.mean(-1, dtype=np.float32)
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return Look(index, float((laplacian**2).mean() / max(grey.mean() ** 2, 1.0)), _thumbnail(grey))


def chosen_frames(looks: Iterable[Look], count: int) -> list[int]:
    """Return the places of at most ``count`` frames, in order.

    Frames of a camera that stands still are left out first, so they neither use up frames nor come twice.
    """
    moving = without_repeats(looks)
    bounds = np.linspace(0, len(moving), min(count, len(moving)) + 1).round().astype(int)
    stretches = [moving[start:end] for start, end in pairwise(bounds)]
    return [max(stretch, key=lambda look: look.sharpness).index for stretch in stretches]


def without_repeats(looks: Iterable[Look]) -> list[Look]:
    """Return one frame, the sharpest, of each group that looks like the group's first frame."""
    kept: list[Look] = []
    first: Look | None = None
    for look in looks:
        if first is None or difference(look, first) > _STILL:
            first = look
            kept.append(look)
        elif look.sharpness > kept[-1].sharpness:
            kept[-1] = look
    return kept


def difference(first: Look, second: Look) -> float:
    """Return the mean absolute difference of two thumbnails, as a share of their contrast."""
    return float(np.abs(first.thumbnail - second.thumbnail).mean())


def _thumbnail(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the means of 32 x 32 areas, brought to mean 0 and variance 1: exposure changes do not count."""
    rows, columns = (np.linspace(0, side, _THUMBNAIL + 1).round().astype(int)[:-1] for side in grey.shape)
    rows, columns = np.minimum(rows, grey.shape[0] - 1), np.minimum(columns, grey.shape[1] - 1)
    sums = np.add.reduceat(np.add.reduceat(grey, rows, 0), columns, 1)
    counts = np.outer(np.diff([*rows, grey.shape[0]]), np.diff([*columns, grey.shape[1]]))
    means = sums / np.maximum(counts, 1)
    normalised: NDArray[np.float32] = ((means - means.mean()) / max(float(means.std()), 1e-6)).astype(np.float32)
    return normalised
