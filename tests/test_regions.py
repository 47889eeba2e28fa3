"""Novel poses of captures: among forward-facing cameras, and between neighbours on a walk."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_cameras import assert_rigid
from torch.nn import functional as F

from nfcore import Cameras
from nfcore.geometry.forward_region import ForwardRegion
from nfcore.geometry.nearby_region import NearbyRegion
from nfcore.geometry.orbits import look_at, tour
from nfcore.geometry.uprightness import upright

UP = torch.tensor([0.0, 0.0, 1.0])
TARGET = torch.tensor([1.0, 2.0, 0.5])


def cameras(eyes, target=TARGET, up=UP):
    poses = look_at(eyes, target, up)
    return Cameras(poses, torch.tensor([[50.0, 50, 16, 12]]).repeat(len(poses), 1), 24, 32)


def arc(n=24, degrees=180.0):
    """A walk around half of the target, nearer and farther, up and down."""
    angle = torch.linspace(0, math.radians(degrees), n)
    radius = 4 + angle.cos()
    offsets = torch.stack([radius * angle.cos(), radius * angle.sin(), 1 + 0.5 * (3 * angle).sin()], 1)
    return cameras(TARGET + offsets)


def row():
    offsets = torch.tensor([[x, y, 0.05 * x * y] for x in (-1.0, 0.0, 1.0) for y in (-0.5, 0.5)])
    return cameras(
        offsets, offsets + torch.tensor([0.0, 0.0, -1.0]) + 0.1 * offsets, torch.tensor([0.0, 1.0, 0.0])
    )


def test_forward_poses_fill_a_tenth_more_than_the_cameras_box(generator):
    poses = ForwardRegion.around(row()).sample(4000, generator)
    assert_rigid(poses)
    # Positions are in x -1..1 and y -.5 to .5, so the region is -1.1 to 1.1 and -.55 to .55, uniform.
    for axis, half in ((0, 1.1), (1, 0.55)):
        values = poses[:, axis, 3]
        assert half * 0.98 < values.max() <= half and -half <= values.min() < -half * 0.98
        assert float(values.std()) == pytest.approx(half / math.sqrt(3), rel=0.05)
    axes, known = -poses[:, :, 2], -row().poses[:, :, 2]
    reach = 0.56 * (known.amax(0) - known.amin(0)) + 0.01
    assert ((axes - (known.amax(0) + known.amin(0)) / 2).abs() <= reach).all()
    assert (poses[:, 1, 1] > 0.9).all()


def test_a_forward_loop_closes_and_stays_among_the_cameras():
    poses = ForwardRegion.around(row()).loop(40)
    assert_rigid(poses)
    steps = (poses[:, :, 3] - poses.roll(1, 0)[:, :, 3]).norm(dim=-1)
    assert steps.max() < 0.15
    assert poses[:, 0, 3].abs().max() < 1.0


def test_nearby_poses_stay_on_the_walk(generator):
    known = arc()
    found = NearbyRegion.around(known).sample(2000, generator)
    assert_rigid(found.poses)
    eyes, others = found.poses[:, :, 3], known.poses[:, :, 3]
    nearest = torch.cdist(eyes, others).amin(1)
    apart = torch.cdist(others, others).fill_diagonal_(torch.inf).amin(1)
    assert nearest.max() < 2.5 * apart.max()
    assert nearest.max() > 0.3 * apart.mean()  # they are not the photos' own


def test_nearby_poses_never_come_nearer_to_the_thing_than_the_cameras(generator):
    known = arc()
    distances = (known.poses[:, :, 3] - TARGET).norm(dim=-1)
    found = NearbyRegion.around(known).sample(2000, generator)
    eyes = (found.poses[:, :, 3] - TARGET).norm(dim=-1)
    assert distances.min() * 0.97 < eyes.min() and eyes.max() < distances.max() * 1.03


def test_nearby_poses_look_at_what_the_cameras_look_at(generator):
    found = NearbyRegion.around(arc()).sample(500, generator)
    towards = F.normalize(TARGET - found.poses[:, :, 3], dim=-1)
    cosine = (-found.poses[:, :, 2] * towards).sum(-1)
    assert cosine.min() > math.cos(math.radians(15)) and cosine.mean() > math.cos(math.radians(4))


def test_two_cameras_are_enough_for_a_walk(generator):
    found = NearbyRegion.around(arc(2, 20)).sample(10, generator)
    assert_rigid(found.poses)


def test_up_is_the_mean_y_axis_where_all_cameras_look_the_same_way():
    """The x axes are all (1, 0, 0) there, and orthogonal to that is a whole plane."""
    torch.testing.assert_close(upright(row().poses), torch.tensor([0.0, 1.0, 0.0]), atol=0.02, rtol=0)
    torch.testing.assert_close(upright(arc().poses), UP, atol=1e-4, rtol=0)


def test_a_tour_of_half_a_circle_goes_there_and_back():
    poses = tour(arc(), 60)
    assert_rigid(poses)
    offsets = poses[:, :, 3] - TARGET
    azimuth = torch.rad2deg(torch.atan2(offsets[:, 1], offsets[:, 0]))
    azimuth = torch.where(azimuth < -90, azimuth + 360, azimuth)
    assert azimuth.min() > -5 and azimuth.max() < 185
    assert azimuth.max() - azimuth.min() > 170
    steps = (poses[:, :, 3] - poses.roll(1, 0)[:, :, 3]).norm(dim=-1)
    assert steps.max() < 0.7


def test_a_tour_of_a_closed_walk_is_a_circle():
    poses = tour(arc(degrees=345), 36)
    offsets = F.normalize((poses[:, :, 3] - TARGET)[:, :2], dim=-1)
    torch.testing.assert_close(offsets.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
