"""Which pairs of photos are matched: all, neighbours in order, or those whose largest features look alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Pair = tuple[int, int]

#: Up to this many photos, all pairs are matched.
ALL_PAIRS = 100
#: Features of each photo that are compared to find likely pairs.
_LARGEST = 200
#: Pairs that each photo is given in any case, if as many share features.
_PARTNERS = {"photos": 24, "video": 6}
#: Two descriptors match if their distance is less than this share of that to the next best (Lowe 2004).
_RATIO = 0.85
#: Steps between frames of a video that are matched.
_STEPS = (*range(1, 9), 12, 16, 24, 32)
#: Descriptors are matched against this many photos at once.
_BATCH = 64


def all_pairs(photos: int) -> list[Pair]:
    """Return all pairs of ``photos``, in blocks of 16 photos so that their features stay in memory.

    >>> all_pairs(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return sorted(combinations(range(photos), 2), key=lambda pair: (pair[0] // 16, pair[1] // 16, pair))


def neighbours(photos: int) -> list[Pair]:
    """Return pairs of frames that are near each other in time.

    >>> neighbours(3)
    [(0, 1), (1, 2), (0, 2)]
    """
    return [(first, first + step) for step in _STEPS for first in range(photos - step)]


def likely_pairs(largest: Sequence[NDArray[np.float32]], is_video: bool) -> list[Pair]:
    """Return the pairs of photos with most matches among their largest features.

    Preemptive matching (Wu, Towards Linear-time Incremental Structure from Motion, 3DV 2013, section 3).

    Args:
        largest: of each photo, the descriptors (k, 128) of its largest features, of unit length.
        is_video: whether neighbours are matched anyway, so that these pairs only close loops.

    """
    scores = match_counts(largest)
    scores += scores.T
    partners = _PARTNERS["video" if is_video else "photos"]
    found: set[Pair] = set()
    for index, row in enumerate(scores):
        best = np.argsort(-row, kind="stable")[:partners]
        found.update((min(index, int(other)), max(index, int(other))) for other in best if row[other] >= 3)
    return sorted(found, key=lambda pair: (pair[0] // 16, pair[1] // 16, pair))


def match_counts(largest: Sequence[NDArray[np.float32]]) -> NDArray[np.int64]:
    """Return how many descriptors of each photo match one of each later photo, (n, n)."""
    n = len(largest)
    counts = np.zeros((n, n), np.int64)
    for first, own in enumerate(largest):
        for start in range(first + 1, n, _BATCH):
            others = largest[start : start + _BATCH]
            if len(own) and all(len(other) > 1 for other in others):
                similar = own @ np.concatenate(others).T
                ends = np.cumsum([len(other) for other in others])[:-1]
                for place, block in enumerate(np.split(similar, ends, 1)):
                    counts[first, start + place] = _distinct_matches(block)
            else:
                for place, other in enumerate(others):
                    if len(own) and len(other) > 1:
                        counts[first, start + place] = _distinct_matches(own @ other.T)
    return counts


def _distinct_matches(similar: NDArray[np.float32]) -> int:
    """Return how many rows have a best column that is clearly better than the second best."""
    second, best = np.partition(similar, -2, 1)[:, -2:].T
    distance, next_distance = (np.sqrt(np.maximum(2 - 2 * cosine, 0)) for cosine in (best, second))
    return int((distance < _RATIO * next_distance).sum())


def largest_features(scales: NDArray[np.float32], descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the descriptors (k, 128) of the largest features, of unit length."""
    chosen = np.argsort(-scales, kind="stable")[:_LARGEST]
    found = descriptors[chosen].astype(np.float32)
    norms: NDArray[np.float32] = np.linalg.norm(found, axis=1, keepdims=True)
    found /= np.maximum(norms, 1e-6)
    return found
