"""The colour of a ray from what was summed along it: what ``network.shade`` computes."""

from __future__ import annotations

import math

import numpy as np

from nfcore.kernels import Floats, Number, kernel, network_forward
from nfcore_snerg.kernels.marching import ROW

_ONE = np.float32(1)


@kernel
def write_direction(x: Number, y: Number, z: Number, inputs: Floats) -> None:
    """Write the encoding of a direction behind the first eight inputs; see ``network.encode``."""
    for axis in range(3):
        value = x if axis == 0 else (y if axis == 1 else z)
        inputs[8 + axis] = value
        for k in range(4):
            inputs[11 + 3 * k + axis] = math.sin(value)
            inputs[23 + 3 * k + axis] = math.cos(value)
            value *= np.float32(2)


@kernel
def colour(
    sums: Floats, viewed: Floats, background: Floats, lanes: tuple[int, ...], weights: Floats,
    inputs: Floats, first: Floats, second: Floats, outputs: Floats,
) -> None:  # fmt: skip
    """Write the network's inputs for a ray's sums, its layers, and the sigmoid of its outputs."""
    inputs[:ROW] = sums
    inputs[0] = _ONE  # its weights are the bias
    for c in range(3):
        inputs[1 + c] += (_ONE - sums[0]) * background[c]
    write_direction(viewed[0], viewed[1], viewed[2], inputs)
    network_forward(lanes, weights, inputs, first, second, outputs)
    for c in range(3):
        outputs[c] = _ONE / (_ONE + math.exp(-outputs[c]))
