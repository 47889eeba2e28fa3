"""A Gaussian as one camera sees it: its mean, its axes, the derivative of the projection, and its harmonics."""

from __future__ import annotations

import math

import numpy as np

from nfcore.kernels import Floats, kernel
from nfcore_splats.records import (
    FOCUS,
    PRINCIPAL,
    SIZE,
)

_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)
# J is taken no farther outside of the image than this share of half the field of view (the reference code's).
_ASIDE = np.float32(1.3)


@kernel
def view_mean(means: Floats, i: int, pose: Floats, place: Floats) -> None:
    """Write the mean in the camera's axes; ``pose`` is world to camera (3, 4)."""
    for row in range(3):
        place[row] = (
            pose[row, 0] * means[i, 0] + pose[row, 1] * means[i, 1] + pose[row, 2] * means[i, 2] + pose[row, 3]
        )


@kernel
def write_rotation(turns: Floats, i: int, matrix: Floats) -> np.float32:
    """Write the rotation (3, 3) of a quaternion of any length; return 1 over its length."""
    w, x, y, z = turns[i, 0], turns[i, 1], turns[i, 2], turns[i, 3]
    inverse: np.float32 = _ONE / np.float32(math.sqrt(w * w + x * x + y * y + z * z))
    w, x, y, z = w * inverse, x * inverse, y * inverse, z * inverse
    matrix[0, 0], matrix[0, 1], matrix[0, 2] = (
        _ONE - _TWO * (y * y + z * z),
        _TWO * (x * y - w * z),
        _TWO * (x * z + w * y),
    )
    matrix[1, 0], matrix[1, 1], matrix[1, 2] = (
        _TWO * (x * y + w * z),
        _ONE - _TWO * (x * x + z * z),
        _TWO * (y * z - w * x),
    )
    matrix[2, 0], matrix[2, 1], matrix[2, 2] = (
        _TWO * (x * z - w * y),
        _TWO * (y * z + w * x),
        _ONE - _TWO * (x * x + y * y),
    )
    return inverse


@kernel
def write_jacobian(place: Floats, camera: Floats, pose: Floats, jw: Floats) -> tuple[np.float32, np.float32]:
    """Write J W (2, 3); return x/z and y/z at which it was taken."""
    depth = place[2]
    ratios = place[:2].copy()
    for axis in range(2):
        focus, principal, size = camera[FOCUS + axis], camera[PRINCIPAL + axis], camera[SIZE + axis]
        margin = (_ASIDE - _ONE) * size / (_TWO * focus)
        low, high = -principal / focus - margin, (size - principal) / focus + margin
        ratios[axis] = min(max(place[axis] / depth, low), high)
        scale = focus / depth
        for column in range(3):
            jw[axis, column] = scale * (pose[axis, column] - ratios[axis] * pose[2, column])
    return ratios[0], ratios[1]


@kernel
def write_axes(jw: Floats, matrix: Floats, scales: Floats, i: int, axes: Floats) -> None:
    """Write A (2, 3)."""
    for row in range(2):
        for k in range(3):
            along = jw[row, 0] * matrix[0, k] + jw[row, 1] * matrix[1, k] + jw[row, 2] * matrix[2, k]
            axes[row, k] = along * np.float32(math.exp(scales[i, k]))


@kernel
def write_basis(means: Floats, i: int, pose: Floats, basis: Floats) -> None:
    """Write the harmonics of the direction from the camera to the mean, as many as there is room for."""
    x, y, z = _ZERO, _ZERO, _ZERO
    for row in range(3):
        there = pose[row, 0] * means[i, 0] + pose[row, 1] * means[i, 1] + pose[row, 2] * means[i, 2] + pose[row, 3]
        x, y, z = x + pose[row, 0] * there, y + pose[row, 1] * there, z + pose[row, 2] * there
    inverse = _ONE / max(np.float32(math.sqrt(x * x + y * y + z * z)), np.float32(1e-12))
    x, y, z = x * inverse, y * inverse, z * inverse
    basis[0] = np.float32(0.28209479177387814)
    if len(basis) > 1:
        first = np.float32(0.4886025119029199)
        basis[1], basis[2], basis[3] = -first * y, first * z, -first * x
    if len(basis) > 4:
        second = np.float32(1.0925484305920792)
        basis[4], basis[5], basis[7] = second * x * y, -second * y * z, -second * x * z
        basis[6] = np.float32(0.31539156525252005) * (np.float32(3) * z * z - _ONE)
        basis[8] = np.float32(0.5462742152960396) * (x * x - y * y)
    if len(basis) > 9:
        outer, inner = np.float32(0.5900435899266435), np.float32(0.4570457994644658)
        basis[9] = -outer * y * (np.float32(3) * x * x - y * y)
        basis[10] = np.float32(2.890611442640554) * x * y * z
        basis[11] = -inner * y * (np.float32(5) * z * z - _ONE)
        basis[12] = np.float32(0.3731763325901154) * z * (np.float32(5) * z * z - np.float32(3))
        basis[13] = -inner * x * (np.float32(5) * z * z - _ONE)
        basis[14] = np.float32(1.445305721320277) * z * (x * x - y * y)
        basis[15] = -outer * x * (x * x - np.float32(3) * y * y)
