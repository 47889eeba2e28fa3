"""Fused training and rendering of rays: the atlas, the network, the loss, and all the way back."""

from __future__ import annotations

import numpy as np

from nfcore.kernels import Bytes, Floats, Number, kernel, network_backward
from nfcore_snerg.kernels.marching import ROW, AtlasRecord, backward, march, new_ray
from nfcore_snerg.kernels.shading import colour

#: Rays that a thread takes in turn; inputs of the network.
BUNDLE, INPUTS = 64, 35
_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_LEAST_LIGHT = np.float32(1 / 255)


@kernel
def train(
    part: int,
    parts: int,
    origins: Floats,
    directions: Floats,
    viewed: Floats,
    near: Floats,
    jitter: Floats,
    colours: Floats,
    alpha: Floats,
    alpha_weight: Number,
    opacity_weight: Number,
    density_scale: Number,
    background: Floats,
    atlas: AtlasRecord,
    weights: Floats,
    width: tuple[int, ...],
    gradient: Floats,
    touched: Bytes,
    weight_gradient: Floats,
) -> tuple[float, int]:
    """Add one thread's share of a batch to its gradients.

    Args:
        part: which share, from 0.
        parts: how many there are.
        origins: (n, 3) in voxels.
        directions: (n, 3) unit vectors of the viewer's world.
        viewed: (n, 3) the same of the scene's world: what the network sees.
        near: (n,) where rays begin, in voxels.
        jitter: (n,) in [0, 1).
        colours: (n, 3) what the rays should see.
        alpha: (n,) how opaque they should be.
        alpha_weight: what the mean squared error of that counts in the loss.
        opacity_weight: what the Cauchy loss of a sample's density counts (SNeRG, section 5.1), for one sample.
        density_scale: density of an optical depth of 1 in a voxel, in the viewer's units.
        background: (3,).
        atlas: rows of opacity and premultiplied values.
        weights: the network's.
        width: as many zeros as a hidden layer has units.
        gradient: (rows * 8,) added to: by opacity and premultiplied values.
        touched: (rows,) 1 is written where something was added.
        weight_gradient: as ``weights``, added to.

    Returns:
        The sum of squared errors over rays and channels, and the number of samples.

    """
    ray, inputs, outputs = new_ray(), np.empty(INPUTS, np.float32), np.empty(3, np.float32)
    first, second = np.empty(len(width), np.float32), np.empty(len(width), np.float32)
    slope_of_first, slope_of_second = np.empty(len(width), np.float32), np.empty(len(width), np.float32)
    slope_of_sums, slope_of_inputs = np.empty(ROW, np.float32), np.empty(ROW, np.float32)
    slope_of_colour, slope_of_outputs = np.empty(3, np.float32), np.empty(3, np.float32)
    rays, error, total = len(origins), 0.0, 0
    scale, alpha_scale = np.float32(2 / (3 * rays)), np.float32(2) * alpha_weight / np.float32(rays)
    for start in range(part * BUNDLE, rays, parts * BUNDLE):
        for i in range(start, min(rays, start + BUNDLE)):
            count = march(atlas, origins[i], directions[i], near[i], jitter[i], ray)
            total += count
            if count == 0:
                for c in range(3):
                    error += (background[c] - colours[i, c]) ** 2
                continue
            opacity = ray.sums[0]
            shaded = opacity >= _LEAST_LIGHT
            colour(ray.sums, viewed[i], background, atlas.lanes, weights, inputs, first, second, outputs)
            for c in range(3):
                own = inputs[1 + c] + (outputs[c] if shaded else _ZERO) - colours[i, c]
                error += own * own
                slope_of_colour[c] = own * scale
                slope_of_outputs[c] = own * scale * outputs[c] * (_ONE - outputs[c])
            for c in range(ROW):
                slope_of_inputs[c] = _ZERO
            if shaded:
                network_backward(
                    atlas.lanes, weights, inputs, first, second, slope_of_outputs, weight_gradient,
                    slope_of_first, slope_of_second, slope_of_inputs,
                )  # fmt: skip
            slope_of_sums[:] = slope_of_inputs
            slope_of_sums[0] = alpha_scale * (opacity - alpha[i])
            for c in range(3):
                slope_of_sums[1 + c] += slope_of_colour[c]
                slope_of_sums[0] -= slope_of_sums[1 + c] * background[c]
            backward(atlas, ray, count, slope_of_sums, opacity_weight, density_scale, gradient, touched)
    return error, total


@kernel
def render(
    part: int,
    parts: int,
    origins: Floats,
    directions: Floats,
    viewed: Floats,
    near: Floats,
    background: Floats,
    atlas: AtlasRecord,
    weights: Floats,
    width: tuple[int, ...],
    colours: Floats,
    sums: Floats,
    distances: Floats,
) -> int:
    """Write one thread's share of what rays see; return its number of samples.

    Args:
        part: which share, from 0.
        parts: how many there are.
        origins: as for ``train``.
        directions: likewise.
        viewed: likewise.
        near: likewise.
        background: likewise.
        atlas: likewise.
        weights: likewise.
        width: likewise.
        colours: (n, 3) written.
        sums: (n, 8) written: opacity and values.
        distances: (n,) written: sum of the samples' distances times their weights, in voxels.

    """
    ray, inputs, outputs = new_ray(), np.empty(INPUTS, np.float32), np.empty(3, np.float32)
    first, second = np.empty(len(width), np.float32), np.empty(len(width), np.float32)
    rays, total = len(origins), 0
    for start in range(part * BUNDLE, rays, parts * BUNDLE):
        for i in range(start, min(rays, start + BUNDLE)):
            count = march(atlas, origins[i], directions[i], near[i], _HALF, ray)
            total += count
            sums[i] = ray.sums
            distances[i] = _ZERO
            for sample in range(count):
                distances[i] += ray.light[sample] * ray.values[sample * ROW] * ray.distances[sample]
            if ray.sums[0] >= _LEAST_LIGHT:
                colour(ray.sums, viewed[i], background, atlas.lanes, weights, inputs, first, second, outputs)
            for c in range(3):
                own = outputs[c] if ray.sums[0] >= _LEAST_LIGHT else _ZERO
                colours[i, c] = ray.sums[1 + c] + (_ONE - ray.sums[0]) * background[c] + own
    return total
