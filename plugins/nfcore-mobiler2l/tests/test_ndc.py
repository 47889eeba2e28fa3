"""The warp of forward-facing scenes to NDC."""

from __future__ import annotations

import pytest
import torch

import nfcore
from nfcore import Scene, UserError
from nfcore.geometry.ndc import far_face_ratios, to_ndc


@pytest.fixture
def rays():
    """Rays (2, 3, 5, 6) of cameras near the origin that look roughly along -z."""
    origins = (torch.rand(2, 3, 1, 1) - 0.5).expand(2, 3, 5, 6)
    tilt = torch.rand(2, 2, 5, 6) - 0.5
    return origins, torch.cat([tilt, torch.full((2, 1, 5, 6), -0.97)], 1)


def warp_point(points, near, ratios):
    """The projection of NeRF's appendix C for points (b, 3, h, w): the frustum to the cube."""
    x, y, z = points.unbind(1)
    return torch.stack([-ratios[0] * x / z, -ratios[1] * y / z, 1 + 2 * near / z], 1)


def test_a_warped_ray_passes_through_the_warped_points_of_the_ray(rays, forward_facing):
    ratios = far_face_ratios(forward_facing)
    origins, directions = to_ndc(*rays, 1.0, ratios)
    for depth in (1.5, 3.0, 50.0):
        point = rays[0] + depth * rays[1]
        t = 1 + 1 / point[:, 2:]
        torch.testing.assert_close(origins + t * directions, warp_point(point, 1.0, ratios), atol=1e-5, rtol=1e-5)


def test_a_warped_ray_starts_on_the_near_plane_and_ends_at_infinity(rays, forward_facing):
    ratios = far_face_ratios(forward_facing)
    origins, directions = to_ndc(*rays, 1.0, ratios)
    ends = origins + directions
    assert (origins[:, 2] == -1).all()
    assert (ends[:, 2] == 1).all()
    distant = warp_point(rays[0] + 1e6 * rays[1], 1.0, ratios)
    torch.testing.assert_close(ends, distant, atol=1e-4, rtol=0)


def test_the_far_face_of_the_box_becomes_the_cubes_square(forward_facing):
    ratios = far_face_ratios(forward_facing)
    corner = warp_point(torch.tensor([8.0, -4.0, -8.0]).reshape(1, 3, 1, 1), 1.0, ratios)
    assert corner.flatten()[:2].tolist() == [1, -1]
    assert ratios == (1, 2), "2 f / W and 2 f / H of the camera whose frustum this is"


def test_forward_facing_points_are_those_of_the_warped_ray(rays, forward_facing):
    encodings = [
        nfcore.plugins().build("encoding", "points", {"samples": 3, "span": span}, forward_facing).eval()
        for span in ("near-far", "box")
    ]
    points = encodings[0].points(*rays)
    origins, directions = to_ndc(*rays, 1.0, (1.0, 2.0))
    torch.testing.assert_close(points[:, 1], origins + directions / 2)
    assert torch.equal(points, encodings[1].points(*rays))
    assert encodings[0](*rays).shape == (2, 3 * 3 * 13, 5, 6)


def test_rays_that_look_sideways_or_back_stay_finite(forward_facing):
    encoding = nfcore.plugins().build("encoding", "points", {}, forward_facing)
    directions = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1]]).T[None, :, :, None]
    assert encoding(torch.zeros_like(directions), directions).isfinite().all()


@pytest.mark.parametrize("z", [(-1.0, 1.0), (-2.0, 4.0), (1.0, 8.0)])
def test_a_box_that_is_not_along_minus_z_is_refused(z):
    scene = Scene(near=2, far=6, box=((-1, -1, z[0]), (1, 1, z[1])), forward_facing=True)
    with pytest.raises(UserError, match=rf"beyond the near plane z = -2, but ends at z = {z[0]:g}"):
        nfcore.plugins().build("encoding", "points", {}, scene)
