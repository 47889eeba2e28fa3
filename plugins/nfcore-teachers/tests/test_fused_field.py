"""Kernels and torch see the same field alike, and learn the same from it."""

import numpy as np
import pytest
import torch

from nfcore import Rays, Scene
from nfcore.kernels import Unavailable, load
from nfcore_teachers.deferred import Deferred
from nfcore_teachers.fused_field import FusedField
from nfcore_teachers.pixels import Pixels
from nfcore_teachers.voxels import Voxels

BOX = ((-1.0, -0.8, -0.9), (1.0, 1.1, 0.7))
SCENES = {
    "box": Scene(near=0.5, far=9.0, box=BOX, background=(0.2, 0.5, 0.9)),
    "forward-facing": Scene(near=1.0, far=9.0, box=((-4.0, -4.0, -9.0), (4.0, 4.0, -1.0)), forward_facing=True),
    "unbounded": Scene(near=0.2, far=200.0, box=BOX, unbounded=True),
}

TEACHERS = {"deferred": Deferred, "voxels": Voxels}


@pytest.fixture(scope="module", autouse=True)
def _kernels() -> None:
    """Skip where there are none; as a fixture, since collecting this file must not compile them in each worker."""
    if isinstance(load("nfcore_teachers.deferred_kernels"), Unavailable):
        pytest.skip("no kernels here")


def random_field(scene, values=7, hidden=16, resolution=20, seed=0, share=0.3, teacher=Deferred):
    """A field of which ``share`` of the voxels are occupied; others hold something that must not show."""
    generator = torch.Generator().manual_seed(seed)
    field = teacher(teacher.Options(values=values, hidden=hidden, resolution=resolution), scene).volume
    field.begin(resolution, generator)
    for stage in range(3):
        field.grow(stage, 24, generator)
    with torch.no_grad():
        table = field.grid.table
        table[1:, 0] = torch.rand(len(table) - 1, generator=generator) * 1.2 - 0.7
        table[1:, 1:] = torch.rand(table[1:, 1:].shape, generator=generator)
        for layer in field.network.layers:
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * 0.4)
            layer.bias.copy_(torch.randn(layer.bias.shape, generator=generator) * 0.2)
    if share < 1:
        field.occupancy.occupied &= torch.rand(field.occupancy.shape, generator=generator) < share
    return field


def random_rays(scene, n=400, seed=1):
    """Rays that see the scene, and some that miss it; of different lengths."""
    generator = torch.Generator().manual_seed(seed)
    if scene.forward_facing:
        origins = torch.rand(n, 3, generator=generator) - 0.5
        directions = torch.randn(n, 3, generator=generator) * 0.4
        directions[:, 2] = -1
    else:
        origins = torch.randn(n, 3, generator=generator)
        origins = 2.5 * origins / origins.norm(dim=1, keepdim=True)
        directions = torch.randn(n, 3, generator=generator) * 0.7 - origins
        directions[0] = torch.tensor([0.0, 0.0, 1.0])
    return Rays(origins, directions * (0.2 + torch.rand(n, 1, generator=generator)))


def by_torch(field, rays, jitter=None):
    return field.shading.render(field, field.marcher(), field.domain, rays, jitter)


@pytest.fixture(params=TEACHERS)
def teacher(request):
    return TEACHERS[request.param]


@pytest.fixture(params=SCENES)
def scene(request):
    return SCENES[request.param]


@pytest.mark.parametrize(("values", "resolution", "share"), [(7, 20, 0.3), (15, 23, 0.02), (15, 9, 1.0)])
def test_kernels_render_what_torch_renders(scene, teacher, values, resolution, share):
    field = random_field(scene, values, resolution=resolution, share=share, teacher=teacher)
    rays = random_rays(scene)
    with torch.no_grad():
        ours, theirs = field.fused().render(rays), by_torch(field, rays)
    assert theirs.opacity.max() > 0.05
    # A sample on a voxel's border may be in either voxel: one ray in a hundred may differ.
    for what, tolerance in (("rgb", 2e-3), ("opacity", 1e-3), ("depth", 1e-2)):
        a, b = getattr(ours, what), getattr(theirs, what)
        difference = ((a - b).abs() / (1 + b.abs())).view(len(rays), -1).amax(1)
        assert (difference > tolerance).float().mean() < 0.01, what


@pytest.mark.parametrize(("values", "hidden", "threads"), [(7, 32, 1), (15, 16, 3)])
def test_kernels_have_the_gradients_of_autograd(scene, teacher, values, hidden, threads):
    field, rays = random_field(scene, values, hidden, teacher=teacher), random_rays(scene, 301)
    generator = torch.Generator().manual_seed(2)
    colours, jitter = torch.rand(len(rays), 3, generator=generator), torch.rand(len(rays), generator=generator)
    seen = by_torch(field, rays, jitter)
    alpha = torch.rand(len(rays), generator=generator)
    error = torch.nn.functional.mse_loss(seen.rgb, colours)
    (error + 0.3 * torch.nn.functional.mse_loss(seen.opacity, alpha)).backward()
    theirs = [field.grid.table.grad, *(parameter.grad for parameter in field.network.parameters())]

    rows, row = field.grid.table.shape
    gradients, touched = np.zeros((threads, rows * row), np.float32), np.zeros((threads, rows), np.uint8)
    pixels = Pixels(rays, colours, torch.zeros(len(rays), dtype=torch.long), alpha)
    found, samples = field.fused().differentiate(pixels, jitter, 0.3, gradients, touched)
    table = torch.from_numpy(gradients.sum(0)).view(rows, row)
    table[0] = 0
    ours = [table, *(parameter.grad for parameter in field.network.parameters())]
    assert found == pytest.approx(error.item(), rel=1e-3)
    assert 0 < samples <= seen.samples
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).norm() < 1e-2 * b.norm()
    assert torch.equal(table.any(1), torch.from_numpy(touched.any(0))[:] & table.any(1))


def test_an_empty_field_shows_the_background(scene, teacher):
    field, rays = random_field(scene, share=0.0, teacher=teacher), random_rays(scene)
    assert not field.occupancy.occupied.any()
    seen = field.fused().render(rays)
    assert torch.equal(seen.rgb, torch.tensor(scene.background).expand(len(rays), 3))
    assert not seen.opacity.any()
    assert not seen.depth.any()


def test_kernels_occupy_the_voxels_that_torch_occupies(scene):
    ours, theirs = (random_field(scene, share=1.0) for _ in range(2))
    assert isinstance(ours.fused(), FusedField)
    theirs.fused = lambda reporter=None: Unavailable("torch is asked")
    for threshold in (0.05, 0.5, 0.05):
        for field in (ours, theirs):
            field.update_occupancy(threshold, 1.0, torch.Generator())
        different = ours.occupancy.occupied != theirs.occupancy.occupied
        assert different.float().mean() < 1e-3
        assert 0 < ours.occupancy.occupied.float().mean() < 1


def test_skipping_leaves_no_sample_out(scene):
    """What is marched without skipping: the same voxels, all of which are told to be near something."""
    field, rays = random_field(scene, resolution=40, share=0.002), random_rays(scene, 2000)
    fused = field.fused()
    assert fused.record.gap.max() > 1
    skipping = fused.render(rays)
    fused.record.gap[:] = 0
    plain = fused.render(rays)
    assert skipping.samples == pytest.approx(plain.samples, abs=3)
    assert (skipping.rgb - plain.rgb).abs().amax(1).gt(1e-3).float().mean() < 2e-3
