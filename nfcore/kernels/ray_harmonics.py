"""Real spherical harmonics of degree 1 and 2 of one direction; as ``nfcore.geometry.spherical_harmonics``."""

from __future__ import annotations

import math

import numpy as np

from nfcore.kernels.compile import kernel
from nfcore.kernels.records import Floats, Number

#: How many there are; that of degree 0 is a constant, which a network's bias has already.
HARMONICS = 8
_ONE, _THREE = np.float32(1), np.float32(3)
_C1 = np.float32(0.4886025119029199)
_C2, _C3, _C4 = np.float32(1.0925484305920792), np.float32(0.31539156525252005), np.float32(0.5462742152960396)


@kernel
def write_harmonics(x: Number, y: Number, z: Number, out: Floats, at: int) -> None:
    """Write the eight of a direction of any length to out[at:at+8]."""
    scale = _ONE / math.sqrt(x * x + y * y + z * z)
    x, y, z = x * scale, y * scale, z * scale
    out[at] = -_C1 * y
    out[at + 1] = _C1 * z
    out[at + 2] = -_C1 * x
    out[at + 3] = _C2 * x * y
    out[at + 4] = -_C2 * y * z
    out[at + 5] = _C3 * (_THREE * z * z - _ONE)
    out[at + 6] = -_C2 * x * z
    out[at + 7] = _C4 * (x * x - y * y)
