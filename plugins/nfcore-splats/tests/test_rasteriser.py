"""Known Gaussians look as computed by hand, and the kernels compute what torch computes."""

import math
from dataclasses import replace

import pytest
import torch
from splats import camera, facing, random_gaussians

from nfcore import kernels
from nfcore_splats.gaussians import Gaussians, quaternions_of_axis, rotation_matrices
from nfcore_splats.rasteriser import draw, rendering
from nfcore_splats.reference import BLUR

RED, BLUE, GREY = torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 0, 1]), torch.tensor([0.5, 0.5, 0.5])


def ball(depth, size, colour, opacity):
    return Gaussians.of_colours(torch.tensor([[0.0, 0, -depth]]), torch.full((1, 3), size), colour[None], opacity)


def both(first, second):
    pairs = zip(first.tensors.items(), second.tensors.values(), strict=True)
    return Gaussians(**{name: torch.cat([one, other]) for (name, one), other in pairs})


def footprint(depth, size, offset, focal=20.0):
    """Share of the peak, this many pixels from the centre of a ball seen head-on."""
    return math.exp(-(offset**2) / (2 * ((focal * size / depth) ** 2 + BLUR)))


@pytest.fixture(params=["kernels", "torch"])
def way(request):
    if request.param == "kernels":
        yield
        return
    with kernels.without_kernels():
        yield


@pytest.mark.usefixtures("way")
def test_a_ball_seen_head_on_is_a_gaussian_with_the_low_pass_filter_s_variance_added():
    seen = draw(ball(4.0, 0.3, RED, 0.8), facing(), GREY)
    for offset in range(3):
        alpha = 0.8 * footprint(4.0, 0.3, offset)
        assert float(seen.opacity[4, 4 + offset]) == pytest.approx(alpha, abs=1e-5)
        assert seen.image[4 - offset, 4] == pytest.approx(alpha * RED + (1 - alpha) * GREY, abs=1e-5)
    assert float(seen.depth[4, 4]) == pytest.approx(4.0, abs=1e-5)


@pytest.mark.usefixtures("way")
def test_the_nearer_of_two_balls_covers_the_other_whatever_their_order_in_the_file():
    near, far = ball(4.0, 0.3, RED, 0.6), ball(8.0, 0.8, BLUE, 0.9)
    a, b = 0.6 * footprint(4.0, 0.3, 1), 0.9 * footprint(8.0, 0.8, 1)
    right = a * RED + (1 - a) * b * BLUE + (1 - a) * (1 - b) * GREY
    for gaussians in (both(near, far), both(far, near)):
        seen = draw(gaussians, facing(), GREY)
        assert seen.image[4, 5] == pytest.approx(right, abs=1e-5)
        assert float(seen.depth[4, 5]) == pytest.approx((a * 4 + (1 - a) * b * 8) / (a + (1 - a) * b), abs=1e-4)


@pytest.mark.usefixtures("way")
def test_a_flat_gaussian_is_as_wide_as_it_is_turned():
    """Seen from the side it is a line: its width is only the filter's."""
    disc = ball(4.0, 0.5, RED, 0.8)
    scales = torch.tensor([[0.5, 0.5, 1e-6]]).log()
    sideways = replace(disc, log_scales=scales, quaternions=quaternions_of_axis(torch.tensor([[1.0, 0, 0]])))
    seen = draw(sideways, facing(), GREY).opacity
    assert float(seen[4, 5]) == pytest.approx(0.8 * math.exp(-1 / (2 * BLUR)), abs=1e-4)
    assert float(seen[5, 4]) == pytest.approx(0.8 * footprint(4.0, 0.5, 1), abs=1e-4)


@pytest.mark.usefixtures("way")
def test_an_antialiased_file_s_small_gaussians_are_fainter():
    small = ball(4.0, 0.02, RED, 0.8)
    variance = (20 * 0.02 / 4) ** 2
    seen = draw(replace(small, antialiased=True), facing(), GREY)
    assert float(seen.opacity[4, 4]) == pytest.approx(0.8 * variance / (variance + BLUR), abs=1e-5)


def test_what_is_behind_the_camera_is_not_drawn():
    behind = Gaussians.of_colours(torch.tensor([[0.0, 0, 4]]), torch.full((1, 3), 0.3), RED[None])
    assert torch.equal(draw(behind, facing(), GREY).image, GREY.expand(9, 9, 3))


def test_no_views_are_an_empty_rendering():
    assert rendering(random_gaussians(5), camera()[:0], (1, 1, 1)).rgb.shape == (0, 50, 45, 3)


def test_kernels_draw_what_torch_draws_and_have_its_gradients():
    """To 1e-5 of a colour, and 1e-4 of the greatest gradient."""
    gaussians, seen = random_gaussians(300), camera()
    generator = torch.Generator().manual_seed(1)
    slopes = torch.randn(50, 45, 3, generator=generator), torch.randn(50, 45, generator=generator)
    fused = draw(gaussians, seen, GREY)
    with kernels.without_kernels():
        exact = draw(gaussians, seen, GREY, gradients=True)
    assert float((fused.image - exact.image).abs().max()) < 1e-5
    assert float((fused.opacity - exact.opacity).abs().max()) < 1e-5
    assert float((fused.depth - exact.depth).abs().max()) < 1e-3
    right = exact.backward(*slopes)
    for name, found in fused.backward(*slopes).items():
        assert float((found - right[name]).abs().max() / right[name].abs().max()) < 1e-4, name


def test_gaussians_in_another_world_look_the_same_from_a_camera_that_moved_with_them():
    gaussians, seen = random_gaussians(100), camera()
    rotation = rotation_matrices(torch.tensor([[0.3, -0.5, 0.2, 0.7]]))[0]
    moved = replace(seen, poses=rotation @ seen.poses)
    here, there = draw(gaussians, seen, GREY), draw(gaussians.rotated(rotation), moved, GREY)
    assert float((here.image - there.image).abs().max()) < 1e-3


def test_third_axes_of_quaternions_are_the_normals():
    normals = torch.nn.functional.normalize(torch.tensor([[1.0, 2, 3], [0, 0, 1], [0, 0, -1], [-1, 0, 0]]), dim=1)
    assert rotation_matrices(quaternions_of_axis(normals))[:, :, 2] == pytest.approx(normals, abs=1e-6)
