"""A dense volume over the cube [-1, 1]^3: the cell that a place is in, and a number interpolated there."""

from __future__ import annotations

import numpy as np

from nfcore.kernels.compile import kernel
from nfcore.kernels.records import BLOCK, Floats, Number

_ONE, _HALF = np.float32(1), np.float32(0.5)


@kernel
def locate_vertex(resolution: int, x: Number, y: Number, z: Number) -> tuple[Number, Number, Number, Number]:
    """Return the index of the lowest corner of a place's cell, and the place in that cell, three in [0, 1].

    Places outside are moved to the cube's faces. Vertices are numbered with x slowest and z fastest.
    """
    scale = np.float32(resolution - 1) * _HALF
    x = (min(max(x, -_ONE), _ONE) + _ONE) * scale
    y = (min(max(y, -_ONE), _ONE) + _ONE) * scale
    z = (min(max(z, -_ONE), _ONE) + _ONE) * scale
    ix: Number = min(np.int32(x), np.int32(resolution - 2))
    iy: Number = min(np.int32(y), np.int32(resolution - 2))
    iz: Number = min(np.int32(z), np.int32(resolution - 2))
    first = (np.int64(ix) * resolution + iy) * resolution + iz
    return first, x - np.float32(ix), y - np.float32(iy), z - np.float32(iz)


@kernel
def sample_volume(values: Floats, resolution: int, x: Number, y: Number, z: Number) -> Number:
    """Return the number at a place: trilinear interpolation of ``values`` (resolution^3,)."""
    first, fx, fy, fz = locate_vertex(resolution, x, y, z)
    row, slice_ = resolution, resolution * resolution
    c00 = values[first] + fz * (values[first + 1] - values[first])
    first += row
    c01 = values[first] + fz * (values[first + 1] - values[first])
    first += slice_
    c11 = values[first] + fz * (values[first + 1] - values[first])
    first -= row
    c10 = values[first] + fz * (values[first + 1] - values[first])
    c0, c1 = c00 + fy * (c01 - c00), c10 + fy * (c11 - c10)
    return c0 + fx * (c1 - c0)


@kernel
def block_at(resolution: int, x: Number, y: Number, z: Number) -> Number:
    """Return the index of the block of ``BLOCK``^3 cells that a place is in."""
    scale, last = np.float32(resolution - 1) * _HALF, np.int32(resolution - 2)
    blocks: Number = np.int64(last // BLOCK + 1)
    ix: Number = min(np.int32((min(max(x, -_ONE), _ONE) + _ONE) * scale), last)
    iy: Number = min(np.int32((min(max(y, -_ONE), _ONE) + _ONE) * scale), last)
    iz: Number = min(np.int32((min(max(z, -_ONE), _ONE) + _ONE) * scale), last)
    return ((ix // BLOCK) * blocks + iy // BLOCK) * blocks + iz // BLOCK
