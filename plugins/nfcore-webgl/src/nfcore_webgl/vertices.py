"""The codes of vertices as few bytes: predicted from neighbours, rounded where no image shows it, deflated.

Vertices follow each other with x fastest and z slowest. A vertex is predicted by the mean of those of its lower
neighbours along x, y and z that are stored too, channel by channel; the second and third value, green and blue,
also follow the first one's difference from its prediction. What is stored is the difference modulo 256.

A code may be off by its ``tolerance``: differences are then rounded to multiples of 2 tolerance + 1, as
near-lossless JPEG-LS does (Weinberger et al. 2000); the decoder need not know it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
#: The channel whose difference others follow, and those. Channel 0 is density.
_LEADER, _FOLLOWERS = 1, (2, 3)


@dataclass(frozen=True)
class _Wave:
    """Vertices whose x + y + z is the same: each depends on those of the wave before only.

    Args:
        own: (m,) rows of the vertices.
        lower: (m, 3) rows of their lower neighbours along x, y and z; where one is not stored, a row of zeros.
        count: (m, 1) how many of these are stored, at least 1.

    """

    own: Ints
    lower: Ints
    count: Ints


def encode(codes: Bytes, stored: NDArray[np.bool_], tolerance: Ints) -> tuple[Bytes, Bytes]:
    """Return the differences (c, m) to store, and the codes (m, c) that they are decoded to.

    Args:
        codes: (m, c) of the stored vertices, in the order of ``stored``.
        stored: (z, y, x) which vertices they are of.
        tolerance: (m, c) by how much they may be off.

    """
    found = np.zeros((len(codes) + 1, codes.shape[1]), np.int64)
    differences = np.zeros_like(codes)
    steps = 2 * tolerance + 1
    for wave in _waves(stored):
        predicted = _predicted(found, wave)
        lead: Any = 0
        for channel in range(codes.shape[1]):
            guess = predicted[:, channel]
            if channel in _FOLLOWERS:
                guess = np.clip(guess + lead, 0, 255)
            wanted = codes[wave.own, channel].astype(np.int64)
            step = steps[wave.own, channel]
            off = wanted - guess
            near = guess + np.sign(off) * ((np.abs(off) + step // 2) // step) * step
            value = np.where((near < 0) | (near > 255), wanted, near)
            found[wave.own, channel] = value
            differences[wave.own, channel] = (value - guess) & 255
            if channel == _LEADER:
                lead = value - guess
    return np.ascontiguousarray(differences.T), found[:-1].astype(np.uint8)


def decode(differences: Bytes, stored: NDArray[np.bool_]) -> Bytes:
    """Return the codes (m, c) of the ``stored`` (z, y, x) vertices from their ``differences`` (c, m)."""
    channels, count = differences.shape
    found = np.zeros((count + 1, channels), np.int64)
    for wave in _waves(stored):
        predicted = _predicted(found, wave)
        lead: Any = 0
        for channel in range(channels):
            guess = predicted[:, channel]
            if channel in _FOLLOWERS:
                guess = np.clip(guess + lead, 0, 255)
            value = (guess + differences[channel, wave.own]) & 255
            found[wave.own, channel] = value
            if channel == _LEADER:
                lead = value - guess
    return found[:-1].astype(np.uint8)


def _predicted(found: Ints, wave: _Wave) -> Ints:
    total: Ints = found[wave.lower].sum(1)
    return total // wave.count


def _waves(stored: NDArray[np.bool_]) -> Iterator[_Wave]:
    """Yield the waves of ``stored`` (z, y, x), from the lowest corner on."""
    places = np.argwhere(stored)
    count = len(places)
    rows = np.full(tuple(n + 1 for n in stored.shape), count, np.int32)
    rows[1:, 1:, 1:][stored] = np.arange(count)
    sums = places.sum(1)
    order = np.argsort(sums, kind="stable")
    ends = np.searchsorted(sums[order], np.arange(sum(stored.shape)))
    for first, last in itertools.pairwise(ends):
        if last > first:
            own = order[first:last]
            z, y, x = places[own].T + 1
            lower = np.stack([rows[z, y, x - 1], rows[z, y - 1, x], rows[z - 1, y, x]], 1).astype(np.int64)
            yield _Wave(own, lower, np.maximum((lower < count).sum(1, keepdims=True), 1))
