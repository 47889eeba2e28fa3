"""Sparse voxels with a network for each sample as fused kernels: each ray all the way there and back.

Composed of ``nfcore.kernels``; load it by ``nfcore.kernels.load``. What it computes is ``rendering.render_rays``:
samples that hardly show are not asked for their colour.
"""

from __future__ import annotations

import math

import numpy as np

from nfcore.kernels import (
    HARMONICS,
    MOST_SAMPLES,
    SAMPLE_EXTRA,
    WEIGHT,
    Bytes,
    Floats,
    Grid,
    Number,
    kernel,
    march,
    network_backward,
    network_forward,
    samples_backward,
    write_harmonics,
)  # fmt: skip
from nfcore.kernels import activate as activate
from nfcore.kernels import cell_opacities as cell_opacities
from nfcore.kernels import enter_grid as enter_grid
from nfcore.kernels import measure_gaps as measure_gaps
from nfcore.kernels import move_rows as move_rows
from nfcore.kernels import row_opacities as row_opacities
from nfcore.kernels import smooth as smooth
from nfcore_teachers.warming_up import warm_up_kernels

#: Rays that a thread takes in turn: near each other, they look the same rows up.
TRAIN_BUNDLE = 64
#: Samples that add less than this to their ray are not asked for colour: as ``rendering.LEAST_WEIGHT``.
LEAST_WEIGHT = np.float32(1e-3)
_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)


@kernel
def train(
    part: int,
    parts: int,
    paths: Floats,
    directions: Floats,
    jitter: Floats,
    colours: Floats,
    alpha: Floats,
    alpha_weight: Number,
    background: Floats,
    grid: Grid,
    weights: Floats,
    width: tuple[int, ...],
    least: Number,
    gradient: Floats,
    touched: Bytes,
    weight_gradient: Floats,
) -> tuple[float, int]:
    """Add one thread's share of a batch to its gradients of the mean squared errors: see ``deferred_kernels``."""
    row, hidden = len(grid.lanes), len(width)
    samples, cells = np.empty(MOST_SAMPLES * (row + SAMPLE_EXTRA), np.float32), np.empty(MOST_SAMPLES, np.int32)
    # Of each sample: the hidden layers and the colour, then what the loss says of its weight and its values.
    firsts, seconds = np.empty((MOST_SAMPLES, hidden), np.float32), np.empty((MOST_SAMPLES, hidden), np.float32)
    own, by_weight = np.empty((MOST_SAMPLES, 3), np.float32), np.empty(MOST_SAMPLES, np.float32)
    by_values = np.empty((MOST_SAMPLES, row), np.float32)
    sums, inputs = np.empty(row, np.float32), np.empty(row + HARMONICS, np.float32)
    by_first, by_second = np.empty(hidden, np.float32), np.empty(hidden, np.float32)
    seen, by_colour, by_outputs = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32)
    rays, error, total = len(paths), 0.0, 0
    scale, alpha_scale = np.float32(2 / (3 * rays)), np.float32(2) * alpha_weight / np.float32(rays)
    for start in range(part * TRAIN_BUNDLE, rays, parts * TRAIN_BUNDLE):
        for i in range(start, min(rays, start + TRAIN_BUNDLE)):
            count, _ = march(paths[i], jitter[i], grid, least, samples, cells, sums, gradient, True)
            total += count
            write_harmonics(directions[i, 0], directions[i, 1], directions[i, 2], inputs, row)
            for c in range(3):
                seen[c] = (_ONE - sums[0]) * background[c]
            for sample in range(count):
                at = sample * (row + SAMPLE_EXTRA)
                weight = samples[at + row + WEIGHT]
                if weight > LEAST_WEIGHT:
                    inputs[:row] = samples[at : at + row]  # the first of them is 1, and its weights are the bias
                    network_forward(grid.lanes, weights, inputs, firsts[sample], seconds[sample], own[sample])
                    _squash(own[sample])
                    for c in range(3):
                        seen[c] += weight * own[sample, c]
            by_opacity = alpha_scale * (sums[0] - alpha[i])
            for c in range(3):
                difference = seen[c] - colours[i, c]
                error += difference * difference
                by_colour[c] = difference * scale
                by_opacity -= by_colour[c] * background[c]
            for sample in range(count):
                at = sample * (row + SAMPLE_EXTRA)
                weight = samples[at + row + WEIGHT]
                by_weight[sample] = by_opacity
                by_values[sample] = _ZERO
                if weight > LEAST_WEIGHT:
                    for c in range(3):
                        by_weight[sample] += by_colour[c] * own[sample, c]
                        by_outputs[c] = by_colour[c] * weight * own[sample, c] * (_ONE - own[sample, c])
                    inputs[:row] = samples[at : at + row]
                    network_backward(
                        grid.lanes, weights, inputs, firsts[sample], seconds[sample], by_outputs, weight_gradient,
                        by_first, by_second, by_values[sample],
                    )  # fmt: skip
            samples_backward(grid, count, samples, cells, by_weight, by_values, gradient, touched)
    return error, total


@kernel
def render(
    paths: Floats,
    directions: Floats,
    background: Floats,
    grid: Grid,
    weights: Floats,
    width: tuple[int, ...],
    least: Number,
    colours: Floats,
    opacities: Floats,
    distances: Floats,
) -> int:
    """Write what rays see; return the number of samples: see ``deferred_kernels``."""
    row, hidden = len(grid.lanes), len(width)
    samples, cells = np.empty(MOST_SAMPLES * (row + SAMPLE_EXTRA), np.float32), np.empty(MOST_SAMPLES, np.int32)
    sums, inputs = np.empty(row, np.float32), np.empty(row + HARMONICS, np.float32)
    first, second, own = np.empty(hidden, np.float32), np.empty(hidden, np.float32), np.empty(3, np.float32)
    total = 0
    for i in range(len(paths)):
        # Samples are kept for their weights; there is no gradient to prefetch but the table itself.
        count, distances[i] = march(paths[i], _HALF, grid, least, samples, cells, sums, grid.table, True)
        total += count
        opacities[i] = sums[0]
        write_harmonics(directions[i, 0], directions[i, 1], directions[i, 2], inputs, row)
        for c in range(3):
            colours[i, c] = (_ONE - sums[0]) * background[c]
        for sample in range(count):
            at = sample * (row + SAMPLE_EXTRA)
            weight = samples[at + row + WEIGHT]
            if weight > LEAST_WEIGHT:
                inputs[:row] = samples[at : at + row]
                network_forward(grid.lanes, weights, inputs, first, second, own)
                _squash(own)
                for c in range(3):
                    colours[i, c] += weight * own[c]
    return total


@kernel
def _squash(outputs: Floats) -> None:
    for c in range(len(outputs)):
        outputs[c] = _ONE / (_ONE + np.float32(math.exp(-outputs[c])))


def warm_up() -> None:
    """Compile all of them."""
    warm_up_kernels(render, train)
