"""The table that opacities are looked up in: optical depth of a step by raw density, and its slope."""

from __future__ import annotations

import numpy as np

from nfcore.kernels.records import Floats

#: Raw densities are clipped to this range; fits keep theirs within it.
LOWEST, HIGHEST = -2.0, 2.0
#: Intervals between entries, in total and per unit of raw density.
INTERVALS = 4096
PER_UNIT = INTERVALS / (HIGHEST - LOWEST)


def absorption_table(gain: float, shift: float, scale: float) -> Floats:
    """Return the table for ``absorbed``: (2 * entries,) float32, optical depth and its slope in turn.

    Raw densities are those of DVGO and of this framework's grids: density = softplus(gain * r + shift) times a
    constant. ``scale`` is that constant times the length of a step, so the depth is that of a step whose
    ``stretch`` is 1. It is interpolated between entries with a relative error under 2e-5.
    """
    argument = gain * (np.arange(INTERVALS + 1) / PER_UNIT + LOWEST) + shift
    depth = np.logaddexp(0, argument) * scale
    slope = gain / (1 + np.exp(-argument)) * scale
    return np.stack([depth, slope], 1).astype(np.float32).reshape(-1)
