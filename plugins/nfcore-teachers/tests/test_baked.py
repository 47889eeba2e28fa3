"""The baked field of the teacher ``deferred`` in all kinds of scenes."""

import pytest
import torch
import unboxed_scenes as scenes

from nfcore import Budget, Reporter
from nfcore.exports import BakedRenderer
from nfcore_teachers.deferred import Deferred

pytestmark = pytest.mark.slow


@pytest.fixture(params=["box", "forward-facing", "unbounded"])
def source(request, sphere):
    return {"box": sphere, "forward-facing": scenes.Wall(), "unbounded": scenes.Room()}[request.param]


@pytest.fixture
def teacher(source):
    teacher = Deferred(Deferred.Options(resolution=24, samples_per_step=3000), source.scene)
    teacher.fit(source, Budget(steps=120, seed=1), Reporter())
    return teacher


def test_drawn_from_plain_data_it_looks_the_same(source, teacher, monkeypatch):
    rays = source.views("test").cameras.rays().flat()
    drawn = BakedRenderer(teacher.baked()).render(rays)
    assert drawn.opacity.max() > 0.5
    fused = teacher.render(rays)
    monkeypatch.setenv("NFCORE_KERNELS", "off")
    for seen in (fused, teacher.render(rays)):
        error = (drawn.rgb - seen.rgb).abs().amax(1)
        assert error.quantile(0.99) < 2e-3
        assert (drawn.depth - seen.depth).abs().quantile(0.95) < 0.02 * source.scene.far


def test_only_vertices_of_occupied_voxels_are_stored(teacher):
    baked = teacher.baked()
    assert baked.table.shape == (len(baked.vertices) + 1, 1 + baked.values)
    assert baked.occupied.shape == tuple(side - 1 for side in baked.shape)
    corners = torch.stack(torch.unravel_index(baked.vertices, baked.shape), 1)
    around = torch.nn.functional.pad(baked.occupied, [1] * 6)
    touching = torch.stack(
        [around[tuple((corners + d).unbind(1))] for d in torch.cartesian_prod(*[torch.arange(2)] * 3)]
    )
    assert touching.any(0).all()
    assert baked.volume().shape == (*baked.shape, 1 + baked.values)
