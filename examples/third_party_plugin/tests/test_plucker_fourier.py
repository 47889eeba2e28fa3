"""The encoding: lines, not points; frequencies that are drawn once and saved."""

from __future__ import annotations

import pytest
import torch
from blob_fields.plucker_fourier import PluckerFourier

from nfcore import Scene, UserError


def encoding(scene: Scene, **options: object) -> PluckerFourier:
    return PluckerFourier(PluckerFourier.Options(**options), scene).eval()


def rays(n: int = 50) -> tuple[torch.Tensor, torch.Tensor]:
    """Origins and directions (1, 3, 1, n) of rays that meet the box."""
    generator = torch.Generator().manual_seed(5)
    origins = 4 * torch.nn.functional.normalize(torch.randn(1, 3, 1, n, generator=generator), dim=1)
    targets = torch.rand(1, 3, 1, n, generator=generator) * 2 - 1
    return origins, targets - origins


def test_a_ray_is_a_line_wherever_it_begins_and_however_long_its_direction_is(scene):
    origins, directions = rays()
    lines = encoding(scene).coordinates
    moved = lines(origins + 0.3 * directions, 5 * directions)
    torch.testing.assert_close(moved, lines(origins, directions), rtol=0, atol=1e-5)


def test_rays_that_meet_the_box_have_coordinates_within_one(scene):
    off_centre = Scene(near=2, far=6, box=((9.0, -1.0, -1.0), (11.0, 1.0, 1.0)))
    origins, directions = rays(1000)
    for box, shift in ((scene, 0.0), (off_centre, 10.0)):
        shifted = origins + torch.tensor([shift, 0, 0]).view(1, 3, 1, 1)
        coordinates = encoding(box).coordinates(shifted, directions)
        assert 0.5 < coordinates.abs().max() <= 1


def test_features_are_coordinates_then_sines_then_cosines(scene):
    part = encoding(scene, frequencies=4)
    features = part(*rays())
    assert features.shape[1] == part.channels == 6 + 8
    torch.testing.assert_close(features[:, 6:10] ** 2 + features[:, 10:] ** 2, torch.ones(1, 4, 1, 50))


def test_the_seed_alone_decides_the_frequencies(scene):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, again, other = (encoding(scene, seed=seed).projection for seed in (3, 3, 4))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_bandwidth_is_the_standard_deviation_of_the_frequencies(scene):
    drawn = encoding(scene, frequencies=4000, bandwidth=0.3).projection
    assert abs(float(drawn.std()) - 0.3) < 0.01


@pytest.mark.parametrize("learned", [True, False])
def test_frequencies_are_saved_and_trained_only_on_request(scene, learned):
    part = encoding(scene, learned=learned)
    assert "projection" in part.state_dict()
    assert [name for name, _ in part.named_parameters()] == (["projection"] if learned else [])
    if learned:
        part(*rays()).sum().backward()
        assert part.projection.grad.abs().sum() > 0


def test_a_forward_facing_scene_is_refused(scene):
    with pytest.raises(UserError, match="forward-facing"):
        encoding(scene.model_copy(update={"forward_facing": True}))
