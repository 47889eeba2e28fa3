"""The guided encoding as fused kernels: ray by ray, what ``march``, ``volumes`` and ``encoding`` compute in torch.

Composed of ``nfcore.kernels``; load it by ``nfcore.kernels.load``. The geometry is frozen, so that the backward
pass is one scatter of the features' gradient, with the rows and weights that the forward pass kept.
"""

from __future__ import annotations

import math

import numpy as np

from nfcore.kernels import (
    RAY_SIZE,
    Bytes,
    Floats,
    Ints,
    Number,
    SpaceRecord,
    block_at,
    depth_in_space,
    enter_space,
    interpolate_row,
    kernel,
    locate_vertex,
    place_in_space,
    sample_volume,
    scatter,
    write_harmonics,
)
from nfcore_guided.march import BAND, EVEN

#: Rays that a thread takes at once: neighbours look up the same rows.
BUNDLE = 64
_ZERO, _ONE, _TWO, _HALF = np.float32(0), np.float32(1), np.float32(2), np.float32(0.5)
_EVEN, _BAND = np.float32(EVEN), np.float32(BAND)
# Transmittance below which weights count as 0.
_DARK = np.float32(1e-7)
_DEGREE_0 = np.float32(0.28209479177387814)


@kernel
def encode(
    part: int,
    parts: int,
    space: SpaceRecord,
    origins: Floats,
    directions: Floats,
    density: Floats,
    full: Bytes,
    resolution: int,
    steps: int,
    points: int,
    octaves: int,
    lanes: tuple[int, ...],
    table: Floats,
    numbers: Ints,
    corners: Ints,
    features: Floats,
    cells: Ints,
    places: Floats,
) -> None:
    """Write one thread's share of rays' features.

    Args:
        part: which share, from 0.
        parts: how many there are.
        space: where density and features are.
        origins: (n, 3) scene units.
        directions: (n, 3) of any length.
        density: (resolution^3,) per scene unit.
        full: (blocks^3,) which blocks of ``BLOCK``^3 cells have density.
        resolution: vertices along each side of the cube.
        steps: samples of the march.
        points: K.
        octaves: L.
        lanes: as many zeros as a vertex has features c.
        table: (rows * c,) the learned features.
        numbers: (resolution^3,) the number of each cell, which is named after its lowest vertex.
        corners: (cells * 8,) the rows of each numbered cell's corners.
        features: (n, channels) written.
        cells: (n * K,) written: each point's cell, by its number. Empty: nothing is kept for a backward pass.
        places: (n * K * 3,) written: each point's place in its cell.

    """
    rays, channels, width = len(origins), features.shape[1], len(lanes)
    flat = features.reshape(-1)
    ray, pdf, cdf = np.empty(RAY_SIZE, np.float32), np.empty(steps, np.float32), np.empty(steps + 1, np.float32)
    own_cells, own_places = np.empty(BUNDLE * points, np.int32), np.empty(BUNDLE * points * 3, np.float32)
    for start in range(part * BUNDLE, rays, parts * BUNDLE):
        end = min(rays, start + BUNDLE)
        for i in range(start, end):
            enter_space(space, origins[i], directions[i], ray)
            dx, dy, dz = directions[i, 0], directions[i, 1], directions[i, 2]
            norm = np.float32(math.sqrt(dx * dx + dy * dy + dz * dz))
            at = i * channels + points * width
            flat[at] = weigh(space, ray, norm, density, full, resolution, pdf, cdf)
            first_point = (i - start) * points
            at = place_points(
                space, ray, resolution, points, octaves, pdf, cdf, numbers, own_cells, own_places, first_point,
                flat, at + 1,
            )  # fmt: skip
            flat[at] = _DEGREE_0
            write_harmonics(dx, dy, dz, flat, at + 1)
        # In one loop, so that the next points' rows are fetched from memory while those of the first are awaited.
        for point in range((end - start) * points):
            at = (start + point // points) * channels + point % points * width
            x, y, z = own_places[point * 3], own_places[point * 3 + 1], own_places[point * 3 + 2]
            flat[at] = interpolate_row(lanes, table, corners, np.int64(own_cells[point]), x, y, z, flat, at)
        if len(cells):
            cells[start * points : end * points] = own_cells[: (end - start) * points]
            places[start * points * 3 : end * points * 3] = own_places[: (end - start) * points * 3]


@kernel
def place_points(
    space: SpaceRecord,
    ray: Floats,
    resolution: int,
    points: int,
    octaves: int,
    pdf: Floats,
    cdf: Floats,
    numbers: Ints,
    cells: Ints,
    places: Floats,
    point: int,
    out: Floats,
    at: int,
) -> int:
    """Find the points of a ray; write their distance and mean, with its octaves, from out[at] on; return the end.

    Their cells and places go to ``cells`` and ``places`` from number ``point`` on. The rest is as for ``encode``.
    """
    step, first_x, first_y, first_z = 0, _ZERO, _ZERO, _ZERO
    x, y, z, sum_x, sum_y, sum_z = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
    for k in range(points):
        fraction, step = quantile(pdf, cdf, step, k, points)
        x, y, z = place_in_space(space, ray, fraction)
        x, y, z = min(max(x, -_ONE), _ONE), min(max(y, -_ONE), _ONE), min(max(z, -_ONE), _ONE)
        if k == 0:
            first_x, first_y, first_z = x, y, z
        sum_x, sum_y, sum_z = sum_x + x, sum_y + y, sum_z + z
        vertex, within_x, within_y, within_z = locate_vertex(resolution, x, y, z)
        cells[point] = numbers[vertex]
        places[point * 3], places[point * 3 + 1], places[point * 3 + 2] = within_x, within_y, within_z
        point += 1
    out[at] = math.sqrt((x - first_x) ** 2 + (y - first_y) ** 2 + (z - first_z) ** 2)
    at += 1
    share = _ONE / np.float32(points)
    for mean in (sum_x * share, sum_y * share, sum_z * share):
        out[at] = mean
        sine, cosine = np.float32(math.sin(mean)), np.float32(math.cos(mean))
        for octave in range(octaves):
            out[at + 3 + 3 * octave] = sine
            out[at + 3 + 3 * (octaves + octave)] = cosine
            sine, cosine = _TWO * sine * cosine, _ONE - _TWO * sine * sine
        at += 1
    return at + 6 * octaves


@kernel
def weigh(
    space: SpaceRecord, ray: Floats, norm: Number, density: Floats, full: Bytes, resolution: int,
    pdf: Floats, cdf: Floats,
) -> Number:  # fmt: skip
    """Write the distribution (S,) of a ray's rendering weights and its sums (S + 1,); return the opacity."""
    steps = len(pdf)
    width = _ONE / np.float32(steps)
    light, total, depth = _ONE, _ZERO, depth_in_space(space, ray, _ZERO)
    cdf[0] = _ZERO
    for s in range(steps):
        absorbed = _ZERO
        if light > _DARK:
            edge = depth_in_space(space, ray, np.float32(s + 1) * width)
            x, y, z = place_in_space(space, ray, (np.float32(s) + _HALF) * width)
            if full[block_at(resolution, x, y, z)]:
                optical_depth = sample_volume(density, resolution, x, y, z) * (edge - depth) * norm
                absorbed = _ONE - np.float32(math.exp(-optical_depth))
            depth = edge
        pdf[s] = light * absorbed + _EVEN * width
        light -= light * absorbed
        total += pdf[s]
        cdf[s + 1] = total
    return _ONE - light


@kernel
def quantile(pdf: Floats, cdf: Floats, step: int, k: int, points: int) -> tuple[Number, int]:
    """Return the mean of the quantiles around (k + 1/2) / K, a fraction of the ray's span, and where they begin.

    Args:
        pdf: (S,) the distribution, nowhere 0.
        cdf: (S + 1,) its sums.
        step: a step at or before that in which they begin: that of the quantile before.
        k: which one.
        points: K.

    """
    last = len(pdf) - 1
    each = cdf[last + 1] / np.float32(points)
    low = (np.float32(k) + _HALF - _HALF * _BAND) * each
    high = low + _BAND * each
    while step < last and cdf[step + 1] < low:
        step += 1
    begin, whole, at = low, _ZERO, step
    while True:  # the quantile grows evenly within a step
        end = high if at == last else min(high, cdf[at + 1])
        middle = np.float32(at) + (_HALF * (begin + end) - cdf[at]) / pdf[at]
        whole += middle * (end - begin)
        if end >= high:
            return whole / ((high - low) * np.float32(last + 1)), step
        begin = end
        at += 1


@kernel
def scatter_gradient(
    part: int,
    parts: int,
    lanes: tuple[int, ...],
    points: int,
    slopes: Floats,
    corners: Ints,
    cells: Ints,
    places: Floats,
    gradient: Floats,
) -> None:
    """Add one thread's share of the gradient of the learned features.

    Args:
        part: which share, from 0.
        parts: how many there are.
        lanes: as for ``encode``.
        points: K.
        slopes: (n, channels) gradient of the rays' features.
        corners: as for ``encode``.
        cells: as ``encode`` kept them.
        places: likewise.
        gradient: (rows * c,) this thread's, added to.

    """
    rays, channels, width = len(slopes), slopes.shape[1], len(lanes)
    flat = slopes.reshape(-1)
    for start in range(part * BUNDLE, rays, parts * BUNDLE):
        for i in range(start, min(rays, start + BUNDLE)):
            for k in range(points):
                at, point = i * channels + k * width, i * points + k
                fx, fy, fz = places[point * 3], places[point * 3 + 1], places[point * 3 + 2]
                scatter(lanes, gradient, corners, np.int64(cells[point]), fx, fy, fz, flat, at, _ONE, flat[at])


def warm_up() -> None:
    """Compile all of them, by one ray through an empty volume."""
    ray, number, octaves, points, resolution = np.zeros((1, 3), np.float32), np.float32(1), 1, 1, 2
    three = (number, number, number)
    space = SpaceRecord(0, number, number, (-number, -number, -number), three, three, three, (number, number))
    lanes = (0,) * 8
    features, cells, places = np.zeros((1, 28), np.float32), np.zeros(1, np.int32), np.zeros(3, np.float32)
    density, full, table = np.zeros(8, np.float32), np.zeros(1, np.uint8), np.zeros(8, np.float32)
    numbers, corners = np.zeros(8, np.int32), np.zeros(8, np.int32)
    encode(
        0, 1, space, ray, ray, density, full, resolution, 2, points, octaves, lanes, table, numbers, corners,
        features, cells, places,
    )  # fmt: skip
    scatter_gradient(0, 1, lanes, points, features, corners, cells, places, table)
