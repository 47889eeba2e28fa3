"""Opacity of a sample: how much light a raw density absorbs over a step (NeRF, equation 3), from a table."""

from __future__ import annotations

import math

import numpy as np

from nfcore.kernels.compile import kernel
from nfcore.kernels.density_table import INTERVALS, LOWEST, PER_UNIT
from nfcore.kernels.records import Floats, Number

_LOW, _PER, _LAST, _ONE = np.float32(LOWEST), np.float32(PER_UNIT), np.float32(INTERVALS - 0.1), np.float32(1)


@kernel
def absorbed(table: Floats, raw: Number, stretch: Number) -> tuple[Number, Number]:
    """Return the opacity of a step in [0, 1), and the slope of its optical depth in the raw density."""
    place = min(max((raw - _LOW) * _PER, np.float32(0)), _LAST)
    entry = np.int64(place)
    share = place - np.float32(entry)
    entry *= 2
    depth = table[entry] + share * (table[entry + 2] - table[entry])
    slope = table[entry + 1] + share * (table[entry + 3] - table[entry + 1])
    return _ONE - np.float32(math.exp(-depth * stretch)), slope * stretch
