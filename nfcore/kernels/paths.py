"""Positions of samples: on straight paths in a box or in NDC, on bent ones in the contracted world.

Contracted coordinates are those of Mip-NeRF 360 (equation 10) with the maximum norm, halved to the cube [-1, 1]^3;
distance along a bent path is even in depth around the point nearest to the centre, and even in disparity beyond.
"""

from __future__ import annotations

import numpy as np

from nfcore.kernels.compile import kernel
from nfcore.kernels.records import (
    BEND,
    DIRECTION,
    FAR,
    NEAR,
    NEAREST,
    ORIGIN,
    PER_DEPTH,
    STRETCH,
    Floats,
    Number,
    Shape,
)

#: Disparity at which a bent path ends, relative to that at its bend: beyond is treated as infinity.
FARTHEST = 1e-4
#: A bent path moves by at most this much of the cube's half side in one unit of its distance.
MOST_SPEED = 4.0
# Stands in for a smaller component of a direction, where a division would overflow.
_PARALLEL = np.float32(1e-9)
_ONE, _HALF, _TWO, _LEAST = np.float32(1), np.float32(0.5), np.float32(2), np.float32(FARTHEST)


@kernel
def straight_place(path: Floats, distance: Number) -> tuple[Number, Number, Number, Number]:
    """Return x, y and z in cells, and the ``stretch`` there: optical depth of a unit of distance per density."""
    return (
        path[ORIGIN] + distance * path[DIRECTION],
        path[ORIGIN + 1] + distance * path[DIRECTION + 1],
        path[ORIGIN + 2] + distance * path[DIRECTION + 2],
        path[STRETCH],
    )


@kernel
def enter_grid(paths: Floats, low: Floats, high: Floats, start: Floats, spacing: Floats) -> None:
    """Clip straight paths (n, PATH_SIZE) to a box, and count their coordinates in cells instead.

    Slab method (Kay and Kajiya 1986); ``low`` and ``high`` (3,) are the box's corners, ``start`` (3,) is the
    grid's and ``spacing`` (3,) the size of its cells.
    """
    for path in paths:
        near, far = path[NEAR], path[FAR]
        for axis in range(3):
            origin, direction = path[ORIGIN + axis], path[DIRECTION + axis]
            inverse = _ONE / (direction if abs(direction) > _PARALLEL else _PARALLEL)
            first, second = (low[axis] - origin) * inverse, (high[axis] - origin) * inverse
            near, far = max(near, min(first, second)), min(far, max(first, second))
            path[ORIGIN + axis] = (origin - start[axis]) / spacing[axis]
            path[DIRECTION + axis] = direction / spacing[axis]
        path[NEAR], path[FAR] = near, far


@kernel
def bent_place(path: Floats, distance: Number, shape: Shape) -> tuple[Number, Number, Number, Number]:
    """Return the same along a bent path; ``shape`` is the number of cells along each side of the cube."""
    bend = path[BEND]
    size = abs(distance)
    slope = _ONE
    along = size
    if size > bend:  # g(x) = x up to the bend b, then 2 b - b^2 / x; this is its inverse, and the slope of that
        slope = _ONE / max(_TWO - size / bend, _LEAST)
        along = bend * slope
    if distance < 0:
        along = -along
    depth = path[NEAREST] + along * path[PER_DEPTH]
    x = path[ORIGIN] + depth * path[DIRECTION]
    y = path[ORIGIN + 1] + depth * path[DIRECTION + 1]
    z = path[ORIGIN + 2] + depth * path[DIRECTION + 2]
    inverse = _ONE / max(max(abs(x), abs(y)), max(abs(z), _ONE))
    scale = (_TWO - inverse) * inverse * _HALF
    # The largest coordinate m becomes 1 - 1 / (2 m): lengths along the radius shrink to 1 / m^2.
    shrunk = max(inverse, _LEAST)
    stretch = path[STRETCH] * shrunk * shrunk * slope * slope
    return (
        (x * scale + _ONE) * _HALF * np.float32(shape[0]),
        (y * scale + _ONE) * _HALF * np.float32(shape[1]),
        (z * scale + _ONE) * _HALF * np.float32(shape[2]),
        stretch,
    )
