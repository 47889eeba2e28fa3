"""The K-point encoding."""

from __future__ import annotations

import math

import pytest
import torch

import nfcore
from nfcore import UserError


def points_encoding(scene, **options):
    return nfcore.plugins().build("encoding", "points", options, scene).eval()


def one_ray(origin, direction):
    return [torch.tensor(v, dtype=torch.float32).reshape(1, 3, 1, 1) for v in (origin, direction)]


def rays_towards(targets, distance=4.0):
    """Rays (1, 3, n, 1) from a sphere around the origin through ``targets`` (n, 3)."""
    origins = distance * torch.nn.functional.normalize(torch.randn(len(targets), 3), dim=1)
    directions = (targets - origins) / distance
    return origins.T[None, :, :, None], directions.T[None, :, :, None]


def test_a_known_ray_has_the_encoding_computed_by_hand(scene):
    encoding = points_encoding(scene, samples=3, octaves=2)
    features = encoding(*one_ray((0, 0.5, 4), (0.1, 0, -1)))
    expected = []
    for point in ((0.2, 0.5, 2), (0.4, 0.5, 0), (0.6, 0.5, -2)):
        for x in point:
            expected += [math.sin(x), math.sin(2 * x), math.cos(x), math.cos(2 * x), x]
    assert features.shape == (1, 45, 1, 1)
    assert encoding.channels == 45
    torch.testing.assert_close(features.flatten(), torch.tensor(expected))


def test_the_papers_encoding_has_312_channels(scene):
    assert points_encoding(scene).channels == 312


def test_without_the_input_only_sines_and_cosines_remain(scene):
    rays = one_ray((0, 0, 4), (0.1, 0.2, -1))
    whole = points_encoding(scene, samples=2, octaves=3)(*rays).reshape(6, 7)
    part = points_encoding(scene, samples=2, octaves=3, include_input=False)
    assert part.channels == 36
    torch.testing.assert_close(part(*rays).reshape(6, 6), whole[:, :6])


def test_it_holds_nothing_to_save(scene):
    assert not points_encoding(scene, span="box").state_dict()


def test_box_points_lie_inside_and_the_outer_ones_on_its_faces(scene):
    encoding = points_encoding(scene, span="box", samples=5)
    origins, directions = rays_towards(torch.rand(500, 3) * 1.9 - 0.95)
    points = encoding.points(origins, directions)
    assert points.shape == (1, 5, 3, 500, 1)
    assert points.abs().max() <= 1
    outer = points[:, [0, -1]].abs().amax(2)
    torch.testing.assert_close(outer, torch.ones_like(outer), atol=1e-5, rtol=0)


def test_box_points_lie_evenly_on_the_ray_nearest_first(scene):
    encoding = points_encoding(scene, span="box", samples=5)
    points = encoding.points(*one_ray((0.5, 0, 4), (0, 0, -1))).squeeze()
    assert points[:, 2].tolist() == pytest.approx([1, 0.5, 0, -0.5, -1])
    assert points[:, :2].tolist() == [[0.5, 0]] * 5


def test_a_ray_that_starts_inside_the_box_has_its_first_point_there(scene):
    points = points_encoding(scene, span="box", samples=3).points(*one_ray((0, 0, 0.5), (0, 0, -1)))
    assert points.squeeze()[:, 2].tolist() == pytest.approx([0.5, -0.25, -1])


def test_a_ray_that_misses_the_box_has_finite_points_on_it(scene):
    encoding = points_encoding(scene, span="box")
    directions = torch.randn(1, 3, 2000, 1)
    directions[:, :, :30] = torch.eye(3).repeat(1, 10)[None, :, :, None]
    points = encoding.points(torch.full_like(directions, 3.0), directions)
    assert points.abs().max() <= 1
    assert encoding(torch.full_like(directions, 3.0), directions).isfinite().all()


def test_points_move_continuously_when_a_ray_leaves_the_box(scene):
    encoding = points_encoding(scene, span="box")
    x = torch.linspace(0.9, 1.1, 4001)
    origins = torch.stack([torch.zeros_like(x), torch.zeros_like(x), torch.full_like(x, 4)]).reshape(1, 3, -1, 1)
    directions = torch.stack([x / 3, x / 30, -torch.ones_like(x)]).reshape(1, 3, -1, 1)
    points = encoding.points(origins, directions)[0, :, :, :, 0]
    hits = (points[0] - points[-1]).norm(dim=0) > 0
    assert hits.any()
    assert not hits.all()
    assert (points[:, :, 1:] - points[:, :, :-1]).abs().max() < 1e-3


def test_rays_parallel_to_the_faces_are_finite(scene):
    encoding = points_encoding(scene, span="box")
    for origin in ((0, 0, 4), (1, 0, 4), (0, 1, 4), (1, -1, 4), (2, 0, 4), (1, 0, 1)):
        for direction in ((0, 0, -1), (0, 0, 1), (-0.0, 0.0, -1), (0, -1, 0), (1e-9, 0, -1)):
            assert encoding(*one_ray(origin, direction)).isfinite().all()


def test_jitter_moves_each_point_within_its_own_interval_while_training(scene):
    encoding = points_encoding(scene, samples=5).train()
    rays = torch.zeros(2, 3, 20, 30), torch.tensor([0.0, 0.0, -1.0])[None, :, None, None].expand(2, 3, 20, 30)
    depths = -encoding.points(*rays)[:, :, 2]
    for k, (low, high) in enumerate([(2, 2.5), (2.5, 3.5), (3.5, 4.5), (4.5, 5.5), (5.5, 6)]):
        assert low <= depths[:, k].min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < depths[:, k].max() <= high
    assert not torch.equal(depths, -encoding.points(*rays)[:, :, 2])
    assert len(depths[:, 2].unique()) > 1000


@pytest.mark.parametrize("span", ["near-far", "box"])
def test_without_jitter_training_sees_what_evaluation_sees(scene, span):
    rays = rays_towards(torch.rand(20, 3) - 0.5)
    still = points_encoding(scene, span=span, jitter=False)
    expected = still(*rays)
    assert torch.equal(still.train()(*rays), expected)
    assert torch.equal(points_encoding(scene, span=span)(*rays), expected)


def test_jitter_comes_from_the_seed(scene):
    encoding = points_encoding(scene).train()
    rays = rays_towards(torch.rand(20, 3) - 0.5)
    first = encoding(*rays)
    torch.manual_seed(7)
    second = encoding(*rays)
    torch.manual_seed(7)
    assert torch.equal(encoding(*rays), second)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("span", ["near-far", "box"])
def test_gradients_flow_to_the_rays(scene, span):
    rays = [ray.requires_grad_() for ray in rays_towards(torch.rand(9, 3) - 0.5)]
    points_encoding(scene, span=span)(*rays).square().sum().backward()
    for ray in rays:
        assert ray.grad.isfinite().all()
        assert ray.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 1}, "samples: Input should be greater than or equal to 2, not 1"),
        ({"octaves": 0}, "octaves: Input should be greater than or equal to 1, not 0"),
        ({"span": "sphere"}, "span: Input should be 'near-far' or 'box', not 'sphere'"),
        ({"sample": 4}, "unknown option 'sample'; did you mean 'samples'?"),
    ],
)
def test_a_wrong_option_says_what_would_be_right(scene, options, message):
    with pytest.raises(UserError) as error:
        points_encoding(scene, **options)
    assert "nfcore-mobiler2l/points" in str(error.value)
    assert str(error.value).endswith(message)
