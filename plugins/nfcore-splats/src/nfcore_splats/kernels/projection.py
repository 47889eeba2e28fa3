"""Projection of Gaussians to ellipses in the image (EWA splatting; Kerbl et al. 2023, section 4).

With the axes M = R diag(s) of a Gaussian in the world, the camera's rotation W and the derivative J of the
projection at the mean, A = J W M has the ellipse's axes: its covariance is A A^T, plus the low-pass filter. The
camera looks along +z, y is down.
"""

from __future__ import annotations

import math

import numpy as np

from nfcore.kernels import Floats, kernel
from nfcore_splats.kernels.ellipse import view_mean, write_axes, write_basis, write_jacobian, write_rotation
from nfcore_splats.records import (
    BLUR,
    CENTRE,
    COLOUR,
    COMPENSATED,
    DEPTH,
    FOCUS,
    HALF,
    INVERSE,
    LEAST_ALPHA,
    NEAR,
    OPACITY,
    PRINCIPAL,
    SIZE,
)

_ZERO, _ONE, _TWO, _HALF = np.float32(0), np.float32(1), np.float32(2), np.float32(0.5)


@kernel
def project(
    means: Floats,
    scales: Floats,
    turns: Floats,
    logits: Floats,
    harmonics: Floats,
    pose: Floats,
    camera: Floats,
    rows: Floats,
    first: int,
    last: int,
) -> None:
    """Write the rows of Gaussians ``first`` to ``last`` - 1; see ``records``.

    Args:
        means, scales, turns, logits, harmonics: the Gaussians' tensors.
        pose: (3, 4) world to camera.
        camera: (8,) see ``records``.
        rows: (n, COLUMNS), written.
        first, last: which.

    """
    place, matrix = np.empty(3, np.float32), np.empty((3, 3), np.float32)
    jw, axes, basis = (
        np.empty((2, 3), np.float32),
        np.empty((2, 3), np.float32),
        np.empty(harmonics.shape[1], np.float32),
    )
    for i in range(first, last):
        row = rows[i]
        row[HALF], row[HALF + 1] = -_ONE, -_ONE
        view_mean(means, i, pose, place)
        depth = place[2]
        row[DEPTH] = depth
        if not depth > NEAR:
            continue
        write_rotation(turns, i, matrix)
        write_jacobian(place, camera, pose, jw)
        write_axes(jw, matrix, scales, i, axes)
        xx, xy, yy = _ZERO, _ZERO, _ZERO
        for k in range(3):
            xx += axes[0, k] * axes[0, k]
            xy += axes[0, k] * axes[1, k]
            yy += axes[1, k] * axes[1, k]
        sharp = xx * yy - xy * xy
        xx += camera[BLUR]
        yy += camera[BLUR]
        determinant = xx * yy - xy * xy
        opacity = _ONE / (_ONE + np.float32(math.exp(-logits[i])))
        if camera[COMPENSATED] > _ZERO:
            opacity *= np.float32(math.sqrt(max(sharp, _ZERO) / determinant))
        # Not for numbers that are infinite: comparisons with NaN are false.
        if not (opacity > LEAST_ALPHA and determinant > _ZERO and determinant < np.float32(1e30)):
            continue
        u = camera[FOCUS] * place[0] / depth + camera[PRINCIPAL]
        v = camera[FOCUS + 1] * place[1] / depth + camera[PRINCIPAL + 1]
        reach = _TWO * np.float32(math.log(opacity * np.float32(255)))
        width, height = np.float32(math.sqrt(reach * xx)), np.float32(math.sqrt(reach * yy))
        if not (
            u + width > _ZERO and v + height > _ZERO and u - width < camera[SIZE] and v - height < camera[SIZE + 1]
        ):
            continue
        row[CENTRE], row[CENTRE + 1] = u, v
        row[INVERSE], row[INVERSE + 1], row[INVERSE + 2] = yy / determinant, -xy / determinant, xx / determinant
        row[OPACITY], row[HALF], row[HALF + 1] = opacity, width, height
        write_basis(means, i, pose, basis)
        for c in range(3):
            colour = _HALF
            for k in range(len(basis)):
                colour += basis[k] * harmonics[i, k, c]
            row[COLOUR + c] = max(colour, _ZERO)
