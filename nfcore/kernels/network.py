"""A small network for one ray: two hidden layers of H units with ReLU, forward and backward.

Weights are one array: input to hidden (inputs, H), hidden to hidden (H, H), its bias (H,), outputs (outputs, H),
their bias (outputs,). The first layer's bias is the row of an input that is 1. H is a multiple of V.
"""

from __future__ import annotations

import numpy as np

from nfcore.kernels.compile import kernel
from nfcore.kernels.records import Floats
from nfcore.kernels.vectors import add_scaled, dot

_ZERO = np.float32(0)


@kernel
def network_forward(
    lanes: tuple[int, ...], weights: Floats, inputs: Floats, first: Floats, second: Floats, outputs: Floats
) -> None:
    """Write both hidden layers (H,) and the outputs for one row of ``inputs``."""
    row, width, bias = len(lanes), len(first), len(inputs) * len(first) + len(first) * len(first)
    for b in range(width):
        first[b] = _ZERO
        second[b] = weights[bias + b]
    for i in range(len(inputs)):
        for b in range(0, width, row):
            add_scaled(lanes, first, b, inputs[i], weights, i * width + b)
    for i in range(width):
        if first[i] > _ZERO:
            for b in range(0, width, row):
                add_scaled(lanes, second, b, first[i], weights, (len(inputs) + i) * width + b)
        else:
            first[i] = _ZERO
    for b in range(width):
        second[b] = max(second[b], _ZERO)
    out = bias + width
    for c in range(len(outputs)):
        outputs[c] = weights[out + len(outputs) * width + c]
        for b in range(0, width, row):
            outputs[c] += dot(lanes, second, b, weights, out + c * width + b)


@kernel
def network_backward(
    lanes: tuple[int, ...],
    weights: Floats,
    inputs: Floats,
    first: Floats,
    second: Floats,
    slope_of_outputs: Floats,
    gradient: Floats,
    slope_of_first: Floats,
    slope_of_second: Floats,
    slope_of_inputs: Floats,
) -> None:
    """Add to the gradient of the weights, and write that of the leading inputs, as many as there is room for."""
    row, width, bias = len(lanes), len(first), len(inputs) * len(first) + len(first) * len(first)
    out = bias + width
    for b in range(width):
        slope_of_second[b] = _ZERO
    for c in range(len(slope_of_outputs)):
        slope = slope_of_outputs[c]
        gradient[out + len(slope_of_outputs) * width + c] += slope
        for b in range(0, width, row):
            add_scaled(lanes, gradient, out + c * width + b, slope, second, b)
            add_scaled(lanes, slope_of_second, b, slope, weights, out + c * width + b)
    for b in range(width):
        if second[b] <= _ZERO:
            slope_of_second[b] = _ZERO
        gradient[bias + b] += slope_of_second[b]
    for a in range(width):
        slope_of_first[a] = _ZERO
        if first[a] > _ZERO:
            for b in range(0, width, row):
                place = (len(inputs) + a) * width + b
                add_scaled(lanes, gradient, place, first[a], slope_of_second, b)
                slope_of_first[a] += dot(lanes, weights, place, slope_of_second, b)
    for a in range(len(inputs)):
        for b in range(0, width, row):
            add_scaled(lanes, gradient, a * width + b, inputs[a], slope_of_first, b)
    for a in range(len(slope_of_inputs)):
        slope_of_inputs[a] = _ZERO
        for b in range(0, width, row):
            slope_of_inputs[a] += dot(lanes, weights, a * width + b, slope_of_first, b)
