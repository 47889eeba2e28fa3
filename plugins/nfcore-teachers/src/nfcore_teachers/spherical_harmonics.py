"""Real spherical harmonics of directions, to degree 2: what view-dependent colour is made from."""

from __future__ import annotations

import torch
from torch import Tensor

#: Number of basis functions up to degree 2.
BASIS_SIZE = 9


def spherical_harmonics(directions: Tensor) -> Tensor:
    """Return the first nine real spherical harmonics (n, 9) of unit vectors (n, 3); differentiable.

    Orthonormal on the unit sphere, with the Condon-Shortley phase, in the order and with the signs of Plenoxels
    (Fridovich-Keil et al. 2022, whose colour is a combination of these nine).
    """
    x, y, z = directions.unbind(1)
    return torch.stack(
        [
            torch.full_like(x, 0.28209479177387814),
            -0.4886025119029199 * y,
            0.4886025119029199 * z,
            -0.4886025119029199 * x,
            1.0925484305920792 * x * y,
            -1.0925484305920792 * y * z,
            0.31539156525252005 * (3 * z * z - 1),
            -1.0925484305920792 * x * z,
            0.5462742152960396 * (x * x - y * y),
        ],
        1,
    )
