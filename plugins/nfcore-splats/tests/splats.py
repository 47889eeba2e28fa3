"""Gaussians for tests: random ones, and cameras that look at them."""

import torch
from torch.nn import functional as F

from nfcore import Cameras
from nfcore.geometry import look_at
from nfcore_splats.gaussians import BASIS_SIZES, Gaussians


def random_gaussians(n, degree=3, size=0.1):
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    return Gaussians(
        0.5 * normal(n, 3),
        (size * (0.3 + normal(n, 3).sigmoid())).log(),
        F.normalize(normal(n, 4), dim=1),
        2 * normal(n),
        0.3 * normal(n, BASIS_SIZES[degree], 3),
    )


def camera(height=50, width=45):
    pose = look_at(torch.tensor([[2.0, -3.0, 1.0]]), torch.zeros(3), torch.tensor([0.0, 0, 1]))
    return Cameras(pose, torch.tensor([[60.0, 65.0, width / 2, height / 2 + 1]]), height, width)


def facing(side=9, focal=20.0):
    """Looks along -z from the origin; the optical axis is the centre of the middle pixel."""
    return Cameras(torch.eye(4)[None, :3], torch.tensor([[focal, focal, side / 2, side / 2]]), side, side)
