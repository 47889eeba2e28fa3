import math

import pytest
import torch

from nfcore import Cameras, Rays, Scene
from nfcore.geometry import Domain
from nfcore_teachers.frustums import PIXEL_RADIUS, cone_radius, gaussians
from nfcore_teachers.mip_nerf import MipNerf
from nfcore_teachers.positional_encoding import encode_gaussians

BOX = Scene(near=1.0, far=9.0, box=((-5, -5, -5), (5, 5, 5)))
FORWARD = Scene(near=1.0, far=50.0, box=((-9, -9, -12), (9, 9, -1)), forward_facing=True)
UNBOUNDED = Scene(near=0.5, far=50.0, box=((-1, -1, -1), (1, 1, 1)), unbounded=True)


def points_in_a_frustum(rays, radius, begin, end, n=400_000):
    """Uniformly distributed in the cone of the one ray of ``rays`` between two depths."""
    generator = torch.Generator().manual_seed(0)
    u = torch.rand(3, n, generator=generator)
    t = (begin**3 + u[0] * (end**3 - begin**3)) ** (1 / 3)
    away, angle = t * radius * u[1].sqrt(), 2 * math.pi * u[2]
    along = rays.directions[0] / rays.directions[0].norm()
    right = torch.linalg.cross(along, torch.tensor([0.0, 1.0, 0.0]))
    right = right / right.norm()
    up = torch.linalg.cross(right, along)
    offset = (away * angle.cos())[:, None] * right + (away * angle.sin())[:, None] * up
    return rays.origins + t[:, None] * rays.directions + offset


@pytest.mark.parametrize(
    ("scene", "tolerance", "absolute", "ends"),
    [
        (BOX, 0.02, 1e-4, (0.25, 0.4)),
        (FORWARD, 0.1, 1e-4, (0.5, 0.53)),
        # What lies across a ray stays so in the Gaussian, though not in the contracted world.
        (UNBOUNDED, 0.15, 5e-3, (0.8, 0.83)),
    ],
    ids=["box", "forward-facing", "unbounded"],
)
def test_mean_and_variance_are_those_of_points_in_the_cone(scene, tolerance, absolute, ends):
    """Exactly in a box (equation 7), as nearly as lengths along and across the ray tell elsewhere."""
    rays = Rays(torch.tensor([[0.1, -0.2, 0.3]]), torch.tensor([[0.2, 0.1, -1.0]]))
    domain, radius = Domain.of(scene), torch.tensor(0.05)
    paths = domain.paths(rays)
    edges = paths.near + (paths.far - paths.near) * torch.tensor([ends])
    begin, end = paths.depth(edges, torch.arange(1))[0]
    points = domain.warp(points_in_a_frustum(rays, radius, begin, end))
    _, mean, variance = gaussians(domain, paths, edges, radius)
    spread = points.var(0).sqrt()
    assert ((mean[0, 0] - points.mean(0)).abs() < tolerance * spread.max() + 1e-3).all()
    torch.testing.assert_close(variance[0, 0].sqrt(), spread, rtol=max(0.05, 2.5 * tolerance), atol=absolute)


def test_the_encoding_is_the_expectation_over_the_gaussian():
    """Equation 13, by sampling; the finest octave is blurred away."""
    mean, variance = torch.tensor([0.3, -0.2, 0.7]), torch.tensor([0.01, 0.04, 0.02])
    generator = torch.Generator().manual_seed(0)
    points = mean + torch.randn(200_000, 3, generator=generator) * variance.sqrt()
    angles = points[..., None] * 2.0 ** torch.arange(6)
    expected = torch.cat([angles.sin().flatten(-2), angles.cos().flatten(-2)], -1).mean(0)
    encoded = encode_gaussians(mean, variance, 6)
    torch.testing.assert_close(encoded, expected, atol=5e-3, rtol=0)
    assert encoded.view(6, 6)[:, 5].abs().max() < 0.01


def test_the_cones_are_as_wide_as_the_pixels():
    intrinsics = torch.tensor([[100.0, 100.0, 50.0, 50.0]])
    cameras = Cameras(torch.eye(3, 4)[None], intrinsics, 100, 100)
    # A pixel has the variance 1/12 per axis; a disc of radius r has r^2 / 4.
    assert cone_radius(cameras) ** 2 / 4 == pytest.approx(0.01**2 / 12)


def test_mip_nerf_sees_as_wide_a_cone_as_the_ray_has_a_footprint():
    """A ray without a footprint is as wide as the training photos' pixels."""
    torch.manual_seed(0)
    teacher = MipNerf(MipNerf.Options(depth=2, width=16, samples=16), BOX)
    teacher.radius.fill_(0.01 * PIXEL_RADIUS)
    rays = Rays(torch.tensor([[0.0, 0.0, 6.0]] * 64), torch.cat([torch.randn(64, 2) / 3, -torch.ones(64, 1)], 1))
    by_hand, fine, coarse = (
        teacher.render(Rays(rays.origins, rays.directions, footprint)).rgb
        for footprint in (None, torch.full((64,), 0.01), torch.full((64,), 0.5))
    )
    torch.testing.assert_close(by_hand, fine)
    assert (coarse - fine).abs().mean() > 1e-3
