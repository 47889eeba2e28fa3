"""The teacher: what its formulas promise, and that a fit can be interrupted."""

from __future__ import annotations

import math

import pytest
import torch
from blob_fields.blobs import Blobs
from blob_fields.fitting import inside_silhouettes

from nfcore import Budget, NfcoreError, Rays, Reporter, UserError


def rays_through_the_box(n: int) -> Rays:
    generator = torch.Generator().manual_seed(3)
    origins = torch.tensor([0.0, 0.0, 4.0]) + 0.2 * torch.randn(n, 3, generator=generator)
    targets = 0.3 * torch.randn(n, 3, generator=generator)
    return Rays(origins, (targets - origins) / 3)


def density(teacher: Blobs, points: torch.Tensor) -> torch.Tensor:
    """Density (...,) per scene unit at points (..., 3): the definition that the closed form integrates."""
    centres = teacher.box.mean(0) + teacher.unit * teacher.places
    radii = teacher.unit * teacher.log_radii.exp()
    squared = (points[..., None, :] - centres).square().sum(-1)
    return (teacher.log_densities.exp() / teacher.unit * torch.exp(-squared / (2 * radii**2))).sum(-1)


def test_opacity_is_the_integral_of_the_density_from_near_to_far(truth, scene):
    rays = rays_through_the_box(200)
    t = torch.linspace(scene.near, scene.far, 4001)
    points = rays.origins[:, None] + t[:, None] * rays.directions[:, None]
    integral = torch.trapezoid(density(truth, points), t, dim=1) * rays.directions.norm(dim=1)
    opacity = truth.render(rays).opacity
    assert opacity.max() > 0.9 > 0.1 > opacity.min()
    torch.testing.assert_close(opacity, 1 - torch.exp(-integral), rtol=0, atol=1e-4)


def test_what_lies_before_near_or_behind_far_is_not_seen(truth):
    through = torch.tensor([[0.0, 0.0, -1.0]])
    x, y, z = (truth.unit * truth.places[0]).tolist()
    for start in (z + 1.0, z + 8.0):  # near is 2, far is 6
        assert truth.render(Rays(torch.tensor([[x, y, start]]), through)).opacity.item() < 1e-3
    assert truth.render(Rays(torch.tensor([[x, y, z + 4.0]]), through)).opacity.item() > 0.9


def test_depth_is_t_where_the_ray_passes_a_lone_gaussian(truth):
    target = truth.unit * truth.places[:1]
    origin = torch.tensor([[0.5, -3.5, 1.0]])
    for t in (2.5, 4.0):
        seen = truth.render(Rays(origin, (target - origin) / t))
        torch.testing.assert_close(seen.depth, torch.tensor([t]), rtol=1e-3, atol=0)


def test_the_nearer_of_two_opaque_gaussians_is_the_one_seen(scene):
    teacher = Blobs(Blobs.Options(blobs=2), scene)
    with torch.no_grad():
        teacher.places.copy_(torch.tensor([[0.0, 0.0, -0.4], [0.0, 0.0, 0.4]]))
        teacher.log_radii.fill_(math.log(0.1))
        teacher.log_densities.fill_(math.log(200.0))
        teacher.colours.copy_(torch.tensor([[9.0, -9.0, -9.0], [-9.0, -9.0, 9.0]]))
    from_above = teacher.render(Rays(torch.tensor([[0.0, 0.0, 4.0]]), torch.tensor([[0.0, 0.0, -1.0]])))
    from_below = teacher.render(Rays(torch.tensor([[0.0, 0.0, -4.0]]), torch.tensor([[0.0, 0.0, 1.0]])))
    torch.testing.assert_close(from_above.rgb, torch.tensor([[0.0, 0.0, 1.0]]), rtol=0, atol=1e-3)
    torch.testing.assert_close(from_below.rgb, torch.tensor([[1.0, 0.0, 0.0]]), rtol=0, atol=1e-3)


def test_the_gaussians_begin_inside_the_silhouettes(photos):
    teacher = Blobs(Blobs.Options(blobs=16), photos.scene)
    teacher.fit(photos, Budget(0), Reporter())
    centres = teacher.box.mean(0) + teacher.unit * teacher.places.detach()
    assert inside_silhouettes(centres, photos.views("train")).all()
    assert not inside_silhouettes(torch.rand(100, 3) * 2 - 1, photos.views("train")).all()


@pytest.mark.parametrize("source", ["photos", "photos_without_alpha"])
def test_fitting_halves_the_error_of_the_first_guess_twice(source, request):
    source = request.getfixturevalue(source)
    test = source.views("test")

    def error(steps: int) -> float:
        teacher = Blobs(Blobs.Options(blobs=16, rays_per_step=512), source.scene)
        teacher.fit(source, Budget(steps), Reporter())
        seen = teacher.render(test.cameras.rays().flat())
        return float((seen.rgb - test.images.reshape(-1, 3)).square().mean())

    assert error(120) < error(0) / 4


class Interrupting(Reporter):
    """Keeps the state after ``step`` steps and raises then."""

    def __init__(self, step: int) -> None:
        self.at = step

    def checkpoint(self, step, state):
        if step == self.at:
            self.state = {**state(), "teacher": {k: v.clone() for k, v in state()["teacher"].items()}}
            raise KeyboardInterrupt


class Resuming(Reporter):
    """Resumes from a state."""

    def __init__(self, state) -> None:
        self.state = state

    def restore(self):
        return self.state


def test_a_fit_that_was_interrupted_ends_with_the_same_weights_bit_for_bit(photos):
    def fit(reporter: Reporter, seed: int = 1) -> Blobs:
        teacher = Blobs(Blobs.Options(blobs=8, rays_per_step=128), photos.scene)
        teacher.fit(photos, Budget(12, seed=seed), reporter)
        return teacher

    through = fit(Reporter()).state_dict()
    interrupting = Interrupting(5)
    with pytest.raises(KeyboardInterrupt):
        fit(interrupting)
    resumed = fit(Resuming(interrupting.state)).state_dict()
    assert all(torch.equal(through[name], resumed[name]) for name in through)
    assert not torch.equal(through["places"], fit(Reporter(), seed=2).state_dict()["places"])


def test_a_learning_rate_that_diverges_is_named(photos):
    teacher = Blobs(Blobs.Options(blobs=8, rays_per_step=128, learning_rate=1e30), photos.scene)
    with pytest.raises(NfcoreError, match="learning_rate"):
        teacher.fit(photos, Budget(10), Reporter())


def test_rays_of_another_shape_are_refused_with_the_right_one(truth, photos):
    with pytest.raises(UserError, match=r"\(n, 3\)"):
        truth.render(photos.views("test").cameras.rays())


def test_no_rays_give_an_empty_rendering(truth):
    seen = truth.render(Rays(torch.empty(0, 3), torch.empty(0, 3)))
    assert (seen.rgb.shape, seen.opacity.shape, seen.depth.shape) == ((0, 3), (0,), (0,))
