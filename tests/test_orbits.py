"""Novel poses look where the known cameras look, from where they stand."""

import math

import pytest
import torch
from tiny import cameras
from torch.nn import functional as F

from nfcore import OrbitRegion
from nfcore.geometry.orbits import look_at

UP = torch.tensor([0.0, 0.6, 0.8])
TARGET = torch.tensor([2.0, -1.0, 0.5])


def assert_rigid_and_looking_at(poses, eyes, target):
    rotation = poses[:, :, :3]
    torch.testing.assert_close(rotation.mT @ rotation, torch.eye(3).expand(len(poses), 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(len(poses)))
    torch.testing.assert_close(-poses[:, :, 2], F.normalize(target - eyes, dim=-1), atol=1e-5, rtol=0)
    torch.testing.assert_close(poses[:, :, 3], eyes)


def test_a_look_at_pose_is_rigid_looks_down_minus_z_and_holds_up_upwards(generator):
    eyes = TARGET + torch.randn(50, 3, generator=generator)
    poses = look_at(eyes, TARGET, UP)
    assert_rigid_and_looking_at(poses, eyes, TARGET)
    torch.testing.assert_close(poses[:, :, 0] @ UP, torch.zeros(50), atol=1e-5, rtol=0)
    assert (poses[:, :, 1] @ UP > 0).all()


@pytest.mark.parametrize("up", [UP, torch.tensor([0.0, 0, 1]), torch.tensor([1.0, 1, 1]) / math.sqrt(3)])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_pose_that_looks_straight_along_up_is_still_rigid(up, side):
    eyes = (TARGET + side * up)[None]
    assert_rigid_and_looking_at(look_at(eyes, TARGET, up), eyes, TARGET)


def ring(n: int = 12, height: float = 0.5, radius: float = 3.0, up: torch.Tensor = UP):
    region = OrbitRegion(TARGET, up, (radius, radius), (height, height))
    return cameras(region.circle(n))


def test_the_region_around_a_ring_of_cameras_is_that_ring():
    region = OrbitRegion.around(ring())
    torch.testing.assert_close(region.target, TARGET, atol=1e-4, rtol=0)
    torch.testing.assert_close(region.up, UP, atol=1e-4, rtol=0)
    assert region.radius == pytest.approx((3.0, 3.0), abs=1e-4)
    assert region.height == pytest.approx((0.5, 0.5), abs=1e-4)


@pytest.mark.parametrize("up", [UP, -UP])
@pytest.mark.parametrize("height", [0.5, -0.4])
def test_up_is_where_the_cameras_hold_it_above_the_target_or_below(up, height):
    region = OrbitRegion.around(ring(height=height, up=up))
    torch.testing.assert_close(region.up, up, atol=1e-4, rtol=0)
    assert region.height == pytest.approx((height, height), abs=1e-4)


def test_samples_lie_in_the_region_and_fill_it(generator):
    region = OrbitRegion(TARGET, UP, (2.0, 4.0), (-0.2, 0.9))
    poses = region.sample(2000, generator)
    offsets = poses[:, :, 3] - TARGET
    radius = offsets.norm(dim=-1)
    height = offsets @ UP / radius
    assert_rigid_and_looking_at(poses, poses[:, :, 3], TARGET)
    for values, (low, high) in ((radius, region.radius), (height, region.height)):
        assert low - 1e-4 <= values.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < values.max() <= high + 1e-4
        # uniform over area and radius: the mean is in the middle, within four standard errors
        assert values.mean() == pytest.approx((low + high) / 2, abs=4 * (high - low) / math.sqrt(12 * 2000))


def test_the_same_generator_state_gives_the_same_cameras():
    region = OrbitRegion(TARGET, UP, (2.0, 4.0), (-0.2, 0.9))
    first, second = (region.sample(5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, region.sample(5, torch.Generator().manual_seed(4)))


def test_a_circle_goes_once_around_in_even_steps():
    offsets = ring(8, height=0.0).poses[:, :, 3] - TARGET
    turns = (offsets * offsets.roll(1, 0)).sum(-1) / 9
    torch.testing.assert_close(turns, torch.full((8,), math.cos(math.pi / 4)))
    torch.testing.assert_close(offsets.sum(0), torch.zeros(3), atol=1e-4, rtol=0)
