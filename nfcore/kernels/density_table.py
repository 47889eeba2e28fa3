"""The table that opacities are looked up in: softplus of a raw density over a step, and its slope."""

from __future__ import annotations

import numpy as np

from nfcore.kernels.records import Floats

#: Raw densities are clipped to this range; fits keep theirs within it.
LOWEST, HIGHEST = -2.0, 2.0
#: Intervals between entries, in all and in a unit of raw density.
INTERVALS = 4096
PER_UNIT = INTERVALS / (HIGHEST - LOWEST)


def absorption_table(gain: float, shift: float, scale: float) -> Floats:
    """Return the table for ``absorbed``: (2 * entries,) float32, optical depth and its slope in turn.

    A raw density r is that of DVGO and of this framework's grids: density = softplus(gain * r + shift), times what
    ``scale`` has besides the length of a step. The depth is what a step absorbs where its ``stretch`` is 1.
    Between entries it is interpolated: the relative error is under 2e-5.
    """
    argument = gain * (np.arange(INTERVALS + 1) / PER_UNIT + LOWEST) + shift
    depth = np.logaddexp(0, argument) * scale
    slope = gain / (1 + np.exp(-argument)) * scale
    return np.stack([depth, slope], 1).astype(np.float32).reshape(-1)
