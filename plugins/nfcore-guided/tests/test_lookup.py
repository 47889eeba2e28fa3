"""The three forms of a look-up are one function, and its gradient is the one that autograd gives."""

from __future__ import annotations

import pytest
import torch

from nfcore.geometry.trilinear import interpolate
from nfcore_guided.lattice import corner_weights, corners, locate, vertices
from nfcore_guided.volumes import FeatureTable, GatheredVolume, Volume

RESOLUTION, CHANNELS = 9, 5


@pytest.fixture
def table():
    occupied = torch.rand(RESOLUTION**3) < 0.4
    features = FeatureTable(RESOLUTION, CHANNELS)
    features.occupy(occupied, torch.randn(int(occupied.sum()), CHANNELS))
    with torch.no_grad():
        features.table[0] = 0.5
    return features


@pytest.fixture
def xyz():
    """Points in the cube, on its faces, at its corners and beyond them."""
    points = 2.4 * torch.rand(3, 2, 4, 5, 6) - 1.2
    points[0, 0, 0] = 1.0
    points[:, 1, 0, 0] = -1.0
    return list(points)


def test_at_a_vertex_its_features_are_found(table):
    places = vertices(RESOLUTION)
    found = table([axis.reshape(1, 1, -1, 1) for axis in places.t()])
    assert torch.allclose(found[0, :, :, 0].t(), table.dense(), atol=1e-5)


def test_a_linear_function_is_interpolated_exactly(xyz):
    values = vertices(RESOLUTION) @ torch.randn(3, CHANNELS, generator=torch.Generator().manual_seed(1))
    slopes = torch.randn(3, CHANNELS, generator=torch.Generator().manual_seed(1))
    inside = torch.stack(xyz, -1).clamp(-1, 1)
    expected = (inside @ slopes).permute(0, 1, 4, 2, 3).flatten(1, 2)
    assert torch.allclose(Volume(values)(xyz), expected, atol=1e-5)


def test_the_forms_agree(table, xyz):
    expected = table(xyz).detach()
    assert expected.shape == (2, 4 * CHANNELS, 5, 6)
    assert torch.allclose(Volume(table.dense())(xyz), expected, atol=1e-5)
    gathered = GatheredVolume(table.table.detach(), RESOLUTION, table.rows)
    assert torch.allclose(gathered(xyz), expected, atol=1e-5)
    assert torch.allclose(GatheredVolume(table.dense(), RESOLUTION)(xyz), expected, atol=1e-5)


def test_half_tables_differ_by_their_rounding_alone(table, xyz):
    expected = table(xyz).detach()
    for form in (Volume(table.dense(), half=True), GatheredVolume(table.dense(), RESOLUTION, half=True)):
        found = form(xyz)
        assert found.dtype == torch.float32
        assert 0 < (found - expected).abs().max() < 2e-3


def test_the_gradient_is_autograds(xyz):
    cells, within = locate([axis.flatten() for axis in xyz], RESOLUTION)
    rows = cells[:, None] + torch.tensor(corners(RESOLUTION))
    weights = torch.stack(corner_weights(within), 1).double()
    values = torch.randn(RESOLUTION**3, CHANNELS, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(len(cells), CHANNELS, dtype=torch.float64)
    (ours,) = torch.autograd.grad(interpolate(values, rows, weights), values, upstream)
    (theirs,) = torch.autograd.grad((values[rows] * weights[..., None]).sum(1), values, upstream)
    assert torch.allclose(ours, theirs)
