"""What does not fit into the machine is refused before the system runs out of memory, with what would help."""

import pytest
import torch

from nfcore import Budget, Reporter, UserError
from nfcore_teachers.deferred import Deferred
from nfcore_teachers.pixels import PixelBatches

MIB = 1 << 20


@pytest.fixture
def free(monkeypatch):
    """Says how much memory is free."""

    def say(size):
        monkeypatch.setattr("nfcore.runtime.memory.free_memory", lambda device: size)

    return say


def test_a_grid_that_does_not_fit_names_the_resolution(sphere, free):
    free(MIB)
    with pytest.raises(UserError, match=r"64 voxels .* GiB .* free: lower teacher\.resolution"):
        Deferred(Deferred.Options(resolution=64), sphere.scene).fit(sphere, Budget(5), Reporter())


def test_photos_that_do_not_fit_name_their_size(sphere, free):
    free(MIB // 16)
    with pytest.raises(UserError, match=r"training pixels .* smaller image_size"):
        Deferred(Deferred.Options(resolution=8), sphere.scene).fit(sphere, Budget(5), Reporter())


def test_pixels_beyond_32_bits_are_still_told_apart(sphere, monkeypatch):
    """As if the limit were at the number of the sphere's last photo."""
    views, drawn = sphere.views("train"), []
    for limit in (2**31 - 1, 100):
        monkeypatch.setattr("nfcore_teachers.pixels.LARGEST_INT32", limit)
        batches = PixelBatches(views, None, torch.Generator().manual_seed(0), block=2)
        drawn.append(batches.draw(4000))
        assert batches.order.dtype == batches.firsts.dtype == (torch.int32 if limit > 100 else torch.int64)
    assert torch.equal(drawn[0].colours.sum(0), drawn[1].colours.sum(0))
