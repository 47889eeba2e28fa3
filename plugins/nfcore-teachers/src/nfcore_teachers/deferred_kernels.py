"""The deferred field as fused kernels: ray by ray through the grid, the network, the loss and all the way back.

Composed of ``nfcore.kernels``; load it by ``nfcore.kernels.load``. What it computes is ``deferred_rendering``.
"""

from __future__ import annotations

import numpy as np

from nfcore.kernels import (
    AHEAD,
    HARMONICS,
    MOST_SAMPLES,
    SAMPLE_EXTRA,
    Bytes,
    Floats,
    Grid,
    Number,
    composite_backward,
    kernel,
    march,
    network_backward,
    network_forward,
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
    """Add one thread's share of a batch to its gradients of the mean squared errors.

    Args:
        part: which share, from 0.
        parts: how many there are.
        paths: (n, PATH_SIZE), see ``nfcore.kernels.records``.
        directions: (n, 3) of any length, world.
        jitter: (n,) in [0, 1).
        colours: (n, 3) what the rays should see.
        alpha: (n,) how opaque they should be.
        alpha_weight: what the mean squared error of that counts in the loss, float32.
        background: (3,) what is behind everything.
        grid: rows of V numbers: raw density and V - 1 values.
        weights: the network's, see ``nfcore.kernels.network``.
        width: as many zeros as a hidden layer has units.
        least: transmittance at which nothing behind matters.
        gradient: (rows * V,) added to.
        touched: (rows,) 1 is written where something was added.
        weight_gradient: as ``weights``, added to.

    Returns:
        The sum of squared errors over rays and channels, and the number of samples.

    """
    row, hidden = len(grid.lanes), len(width)
    samples, cells = np.empty(MOST_SAMPLES * (row + SAMPLE_EXTRA), np.float32), np.empty(MOST_SAMPLES, np.int32)
    sums, slope_of_sums = np.empty(row, np.float32), np.empty(row, np.float32)
    inputs, outputs = np.empty(row + HARMONICS, np.float32), np.empty(3, np.float32)
    first, second = np.empty(hidden, np.float32), np.empty(hidden, np.float32)
    slope_of_first, slope_of_second = np.empty(hidden, np.float32), np.empty(hidden, np.float32)
    slope_of_outputs, slope_of_colour = np.empty(3, np.float32), np.empty(3, np.float32)
    rays, error, total = len(paths), 0.0, 0
    scale, alpha_scale = np.float32(2 / (3 * rays)), np.float32(2) * alpha_weight / np.float32(rays)
    for start in range(part * TRAIN_BUNDLE, rays, parts * TRAIN_BUNDLE):
        for i in range(start, min(rays, start + TRAIN_BUNDLE)):
            count, _ = march(paths[i], jitter[i], grid, least, samples, cells, sums, gradient, True)
            total += count
            if count == 0:
                for c in range(3):
                    error += (background[c] - colours[i, c]) ** 2
                continue
            opacity = sums[0]
            inputs[:row] = sums
            inputs[0] = _ONE  # its weights are the bias
            write_harmonics(directions[i, 0], directions[i, 1], directions[i, 2], inputs, row)
            network_forward(grid.lanes, weights, inputs, first, second, outputs)
            by_opacity = alpha_scale * (opacity - alpha[i])
            for c in range(3):
                own = sums[1 + c] + opacity * outputs[c] + (_ONE - opacity) * background[c] - colours[i, c]
                error += own * own
                slope_of_colour[c] = own * scale
                by_opacity += slope_of_colour[c] * (outputs[c] - background[c])
                slope_of_outputs[c] = slope_of_colour[c] * opacity
            network_backward(
                grid.lanes, weights, inputs, first, second, slope_of_outputs, weight_gradient,
                slope_of_first, slope_of_second, slope_of_sums,
            )  # fmt: skip
            slope_of_sums[0] = by_opacity
            for c in range(3):
                slope_of_sums[1 + c] += slope_of_colour[c]
            composite_backward(grid, count, samples, cells, slope_of_sums, gradient, touched)
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
    """Write what rays see; return the number of samples.

    Args:
        paths: (n, PATH_SIZE).
        directions: (n, 3) of any length, world.
        background: (3,).
        grid: as for ``train``.
        weights: likewise.
        width: likewise.
        least: likewise.
        colours: (n, 3) written.
        opacities: (n,) written, in [0, 1].
        distances: (n,) written: sum of the samples' distances times their weights.

    """
    row, hidden = len(grid.lanes), len(width)
    samples, cells = np.empty(AHEAD * (row + SAMPLE_EXTRA), np.float32), np.empty(AHEAD, np.int32)
    sums = np.empty(row, np.float32)
    inputs, outputs = np.empty(row + HARMONICS, np.float32), np.empty(3, np.float32)
    first, second = np.empty(hidden, np.float32), np.empty(hidden, np.float32)
    total = 0
    for i in range(len(paths)):
        count, distances[i] = march(paths[i], _HALF, grid, least, samples, cells, sums, samples, False)
        total += count
        opacity = sums[0]
        opacities[i] = opacity
        if count:
            inputs[:row] = sums
            inputs[0] = _ONE
            write_harmonics(directions[i, 0], directions[i, 1], directions[i, 2], inputs, row)
            network_forward(grid.lanes, weights, inputs, first, second, outputs)
            for c in range(3):
                colours[i, c] = sums[1 + c] + opacity * outputs[c] + (_ONE - opacity) * background[c]
        else:
            colours[i] = background
    return total


def warm_up() -> None:
    """Compile all of them."""
    warm_up_kernels(render, train)
