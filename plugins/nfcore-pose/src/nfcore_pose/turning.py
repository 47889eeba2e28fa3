"""Tests whether a camera only rotated: without parallax, no depth can be reconstructed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Singular values of a rotation are equal; moving by 1% of the scene's distance makes them differ by this.
TURN = 0.015
#: Focal lengths that are tried, as a share of the photos' longer side.
_FOCALS = np.geomspace(0.4, 4, 40)


def turn_error(homographies: NDArray[np.float64], sizes: Sequence[tuple[int, int]]) -> float:
    """Return how far pairs of photos are from those of a camera that only rotated: 0 if it did.

    A rotation R maps pixels by K R K^-1, so K^-1 H K has equal singular values for the right focal length
    (Hartley, Self-Calibration from Multiple Views with a Rotating Camera, ECCV 1994). A moving camera that sees a
    flat surface adds a term that no focal length removes.

    Args:
        homographies: (n, 3, 3), from pixels of the first photo to those of the second, at any scale.
        sizes: (height, width) of the photos of each pair, pixels.

    Returns:
        The median, over the pairs, of the largest singular value as a multiple of the smallest, minus 1; that of
        the focal length for which it is smallest.

    >>> turn_error(np.eye(3)[None], [(480, 640)])
    0.0

    """
    best = np.inf
    height, width = np.array(sizes, float).T
    for share in _FOCALS:
        camera = np.zeros((len(sizes), 3, 3))
        camera[:, 0, 0] = camera[:, 1, 1] = share * np.maximum(height, width)
        camera[:, 0, 2], camera[:, 1, 2], camera[:, 2, 2] = width / 2, height / 2, 1
        values = np.linalg.svd(np.linalg.inv(camera) @ homographies @ camera, compute_uv=False)
        best = min(best, float(np.median(values[:, 0] / np.maximum(values[:, 2], 1e-12))) - 1)
    return max(best, 0.0)
