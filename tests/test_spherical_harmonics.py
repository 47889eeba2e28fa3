"""The harmonics are an orthonormal basis, along any axis of a tensor."""

import torch

from nfcore.geometry.harmonics import BASIS_SIZE, spherical_harmonics


def test_the_basis_is_orthonormal_on_the_sphere():
    # Gauss-Legendre in z times equal steps in azimuth integrates products of degree 4 exactly.
    z = torch.tensor([-0.9061798459, -0.5384693101, 0.0, 0.5384693101, 0.9061798459], dtype=torch.float64)
    weight = torch.tensor([0.2369268851, 0.4786286705, 0.5688888889, 0.4786286705, 0.2369268851]).double()
    angle = torch.arange(8, dtype=torch.float64) * 2 * torch.pi / 8
    around = (1 - z**2).sqrt()[:, None]
    directions = torch.stack([around * angle.cos(), around * angle.sin(), z[:, None].expand(5, 8)], -1).view(-1, 3)
    area = (weight[:, None] * torch.full((5, 8), 2 * torch.pi / 8, dtype=torch.float64)).view(-1, 1)
    basis = spherical_harmonics(directions)
    torch.testing.assert_close(basis.t() @ (basis * area), torch.eye(BASIS_SIZE, dtype=torch.float64))


def test_the_axis_of_the_directions_becomes_that_of_the_basis():
    directions = torch.nn.functional.normalize(torch.randn(2, 3, 4, 5), dim=1)
    grid = spherical_harmonics(directions, dim=1)
    rays = spherical_harmonics(directions.movedim(1, -1).reshape(-1, 3))
    torch.testing.assert_close(grid.movedim(1, -1).reshape(-1, BASIS_SIZE), rays)
