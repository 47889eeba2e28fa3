"""Real spherical harmonics of directions to degree 2 or 3, a basis of view-dependent colour."""

from __future__ import annotations

import torch
from torch import Tensor

#: Number of basis functions up to degree 2.
BASIS_SIZE = 9


def spherical_harmonics(directions: Tensor, degree: int = 2, dim: int = -1) -> Tensor:
    """Return the real spherical harmonics of unit vectors (.., 3, ..) to ``degree``: (.., 9, ..) or (.., 16, ..).

    Orthonormal on the unit sphere, with the Condon-Shortley phase, in the order and with the signs of Plenoxels
    (Fridovich-Keil et al. 2022, whose colour is a combination of the first nine). ``dim`` is the axis of the
    coordinates. Differentiable; plain arithmetic that exporters can trace.

    >>> spherical_harmonics(torch.tensor([[0.0, 0.0, 1.0]]), degree=3).shape
    torch.Size([1, 16])
    """
    x, y, z = torch.chunk(directions, 3, dim)
    basis = [
        torch.full_like(x, 0.28209479177387814),
        -0.4886025119029199 * y,
        0.4886025119029199 * z,
        -0.4886025119029199 * x,
        1.0925484305920792 * x * y,
        -1.0925484305920792 * y * z,
        0.31539156525252005 * (3 * z * z - 1),
        -1.0925484305920792 * x * z,
        0.5462742152960396 * (x * x - y * y),
    ]
    if degree == 3:
        basis += [
            -0.5900435899266435 * y * (3 * x * x - y * y),
            2.890611442640554 * x * y * z,
            -0.4570457994644658 * y * (5 * z * z - 1),
            0.3731763325901154 * z * (5 * z * z - 3),
            -0.4570457994644658 * x * (5 * z * z - 1),
            1.445305721320277 * z * (x * x - y * y),
            -0.5900435899266435 * x * (x * x - 3 * y * y),
        ]
    return torch.cat(basis, dim)
