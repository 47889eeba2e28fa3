"""From gradients of ellipses to those of Gaussians: ``projection``, step by step in reverse."""

from __future__ import annotations

import math

import numpy as np

from nfcore.kernels import Floats, kernel
from nfcore_splats.kernels.ellipse import view_mean, write_axes, write_basis, write_jacobian, write_rotation
from nfcore_splats.records import (
    CENTRE,
    COLOUR,
    FOCUS,
    HALF,
    INVERSE,
    OPACITY,
)

_ZERO, _ONE, _TWO, _HALF = np.float32(0), np.float32(1), np.float32(2), np.float32(0.5)


@kernel
def project_backward(
    means: Floats,
    scales: Floats,
    turns: Floats,
    logits: Floats,
    harmonics: Floats,
    pose: Floats,
    camera: Floats,
    rows: Floats,
    gradients: Floats,
    to_means: Floats,
    to_scales: Floats,
    to_turns: Floats,
    to_logits: Floats,
    to_harmonics: Floats,
    first: int,
    last: int,
) -> None:
    """Write the gradients of the Gaussians ``first`` to ``last`` - 1 from those of their rows (n, GRADIENTS).

    The direction in which a colour is seen, and opacities that make up for the filter, count as constant.
    """
    place, matrix = np.empty(3, np.float32), np.empty((3, 3), np.float32)
    jw, axes, basis = (
        np.empty((2, 3), np.float32),
        np.empty((2, 3), np.float32),
        np.empty(harmonics.shape[1], np.float32),
    )
    to_axes, to_jw, to_matrix = (
        np.empty((2, 3), np.float32),
        np.empty((2, 3), np.float32),
        np.empty((3, 3), np.float32),
    )
    for i in range(first, last):
        row, slope = rows[i], gradients[i]
        if row[HALF] < _ZERO:
            to_means[i], to_scales[i], to_turns[i], to_logits[i], to_harmonics[i] = 0, 0, 0, 0, 0
            continue
        write_basis(means, i, pose, basis)
        for c in range(3):
            shown = slope[COLOUR + c] if row[COLOUR + c] > _ZERO else _ZERO
            for k in range(len(basis)):
                to_harmonics[i, k, c] = basis[k] * shown
        opacity = _ONE / (_ONE + np.float32(math.exp(-logits[i])))
        to_logits[i] = slope[OPACITY] * row[OPACITY] * (_ONE - opacity)
        view_mean(means, i, pose, place)
        depth = place[2]
        length = write_rotation(turns, i, matrix)
        x, y = write_jacobian(place, camera, pose, jw)
        write_axes(jw, matrix, scales, i, axes)
        # Of the covariance C with the inverse Q: -Q G Q, where G is symmetric.
        qa, qb, qc = row[INVERSE], row[INVERSE + 1], row[INVERSE + 2]
        ga, gb, gc = slope[INVERSE], _HALF * slope[INVERSE + 1], slope[INVERSE + 2]
        ta, tb, tc, td = qa * ga + qb * gb, qa * gb + qb * gc, qb * ga + qc * gb, qb * gb + qc * gc
        caa, cab, cbb = -(ta * qa + tb * qb), -(ta * qb + tb * qc), -(tc * qb + td * qc)
        for k in range(3):
            to_axes[0, k] = _TWO * (caa * axes[0, k] + cab * axes[1, k])
            to_axes[1, k] = _TWO * (cab * axes[0, k] + cbb * axes[1, k])
        for k in range(3):
            scale = np.float32(math.exp(scales[i, k]))
            along = _ZERO
            for j in range(3):
                value = jw[0, j] * to_axes[0, k] + jw[1, j] * to_axes[1, k]
                along += value * matrix[j, k]
                to_matrix[j, k] = value * scale
            to_scales[i, k] = along * scale
        for axis in range(2):
            for j in range(3):
                to_jw[axis, j] = _ZERO
                for k in range(3):
                    to_jw[axis, j] += to_axes[axis, k] * matrix[j, k] * np.float32(math.exp(scales[i, k]))
        _rotation_backward(turns, i, length, to_matrix, to_turns)
        _place_backward(place, depth, x, y, slope, camera, pose, to_jw, to_means, i)


@kernel
def _rotation_backward(turns: Floats, i: int, length: np.float32, d: Floats, to_turns: Floats) -> None:
    """Write the gradient of a quaternion from that of its rotation ``d`` (3, 3)."""
    w, x, y, z = turns[i, 0] * length, turns[i, 1] * length, turns[i, 2] * length, turns[i, 3] * length
    gw = _TWO * (x * (d[2, 1] - d[1, 2]) + y * (d[0, 2] - d[2, 0]) + z * (d[1, 0] - d[0, 1]))
    gx = _TWO * (
        y * (d[0, 1] + d[1, 0])
        + z * (d[0, 2] + d[2, 0])
        + w * (d[2, 1] - d[1, 2])
        - _TWO * x * (d[1, 1] + d[2, 2])
    )
    gy = _TWO * (
        x * (d[0, 1] + d[1, 0])
        + z * (d[1, 2] + d[2, 1])
        + w * (d[0, 2] - d[2, 0])
        - _TWO * y * (d[0, 0] + d[2, 2])
    )
    gz = _TWO * (
        x * (d[0, 2] + d[2, 0])
        + y * (d[1, 2] + d[2, 1])
        + w * (d[1, 0] - d[0, 1])
        - _TWO * z * (d[0, 0] + d[1, 1])
    )
    along = w * gw + x * gx + y * gy + z * gz
    to_turns[i, 0], to_turns[i, 1] = (gw - along * w) * length, (gx - along * x) * length
    to_turns[i, 2], to_turns[i, 3] = (gy - along * y) * length, (gz - along * z) * length


@kernel
def _place_backward(
    place: Floats,
    depth: np.float32,
    x: np.float32,
    y: np.float32,
    slope: Floats,
    camera: Floats,
    pose: Floats,
    to_jw: Floats,
    to_means: Floats,
    i: int,
) -> None:
    """Write the gradient of a mean from those of its centre in the image and of J W."""
    ratio = np.empty(2, np.float32)
    ratio[0], ratio[1] = x, y
    to_place = np.zeros(3, np.float32)
    for axis in range(2):
        scale = camera[FOCUS + axis] / depth
        to_place[axis] += slope[CENTRE + axis] * scale
        to_place[2] -= slope[CENTRE + axis] * scale * place[axis] / depth
        # J W = focus / depth * (pose[axis] - ratio * pose[2]); the ratio is constant where it was limited.
        to_scale, to_ratio = _ZERO, _ZERO
        for j in range(3):
            to_scale += to_jw[axis, j] * (pose[axis, j] - ratio[axis] * pose[2, j])
            to_ratio -= to_jw[axis, j] * scale * pose[2, j]
        to_place[2] -= to_scale * scale / depth
        if ratio[axis] == place[axis] / depth:
            to_place[axis] += to_ratio / depth
            to_place[2] -= to_ratio * place[axis] / (depth * depth)
    for j in range(3):
        to_means[i, j] = pose[0, j] * to_place[0] + pose[1, j] * to_place[1] + pose[2, j] * to_place[2]
