"""Kernels compute the features and gradients that torch computes, and leave to torch what they can't do."""

from __future__ import annotations

import pytest
import torch

import nfcore
from nfcore.kernels import Unavailable, load
from nfcore.pipeline import Reference
from nfcore.runtime import limited_threads

#: Odd numbers of everything, and the defaults.
SIZES = [
    {"resolution": 9, "steps": 2, "points": 1, "channels": 3, "octaves": 0},
    {"resolution": 33, "steps": 17, "points": 5, "channels": 16, "octaves": 3},
    {},
]


@pytest.fixture(scope="module", autouse=True)
def _kernels() -> None:
    """Skip where there are none; as a fixture, since collecting this file must not compile them in each worker."""
    if isinstance(load("nfcore_guided.kernels"), Unavailable):
        pytest.skip("no kernels here")


def random_encoding(scene, options, share=0.1):
    """Walls of random density in ``share`` of the blocks, features that differ everywhere."""
    encoding = nfcore.plugins().build("encoding", "guided", options, scene)
    side, channels = encoding.options.resolution, encoding.options.channels
    density = 40 * torch.rand(side**3, 1)
    coarse = (torch.rand(1, 1, 6, 6, 6) < share).float()
    density *= torch.nn.functional.interpolate(coarse, size=(side,) * 3).view(-1, 1)
    encoding.geometry.fill(density)
    occupied = torch.rand(side**3) < 0.5
    encoding.features.occupy(occupied, torch.randn(int(occupied.sum()), channels))
    with torch.no_grad():
        encoding.features.table[0] = 0.5
    return encoding


def random_rays(scene, shape=(2, 13, 11)):
    """Rays that see the scene, rays that miss it, and one parallel to an axis."""
    batch, height, width = shape
    origins, directions = torch.randn(2, batch, 3, height, width)
    if scene.forward_facing:
        origins *= 0.3
        directions[:, 2] = -1
    else:
        origins *= 2 / origins.norm(dim=1, keepdim=True)
        directions -= origins
        directions[0, :, 0, 0] = torch.tensor([0.0, 0.0, 2.0])
    return origins, directions


def by_torch(monkeypatch, encoding, rays):
    with monkeypatch.context() as patched:
        patched.setenv("NFCORE_KERNELS", "off")
        return encoding(*rays)


def with_gradient(features, encoding, upstream):
    return torch.autograd.grad(features, encoding.features.table, upstream)[0]


@pytest.fixture(params=[1, 3])
def threads(request):
    with limited_threads(request.param):
        yield


def is_fused(features):
    """Whether kernels computed them: a ray's channels are then next to each other in memory."""
    return features.stride(1) == 1


@pytest.mark.parametrize("options", SIZES, ids=["least", "odd", "default"])
@pytest.mark.usefixtures("threads")
def test_features_and_gradients_are_those_of_torch(scene, options, monkeypatch):
    encoding, rays = random_encoding(scene, options), random_rays(scene)
    ours, theirs = encoding(*rays), by_torch(monkeypatch, encoding, rays)
    assert is_fused(ours)
    assert not is_fused(theirs)
    assert ours.shape == theirs.shape
    assert ours.std() > 0.1
    opacity = theirs[:, encoding.options.points * encoding.options.channels]
    assert opacity.max() > 0.5
    assert opacity.min() < 0.5
    difference = (ours - theirs).abs()
    # Points between two surfaces amplify rounding, as torch's own: one number in a hundred may differ by more.
    assert difference.flatten().kthvalue(round(0.99 * difference.numel())).values < 1e-3
    assert difference.max() < 0.1

    upstream = torch.randn_like(theirs)
    ours, theirs = (with_gradient(features, encoding, upstream) for features in (ours, theirs))
    assert theirs[0].abs().sum() > 0
    assert (ours - theirs).norm() < 1e-3 * theirs.norm()


def test_a_volume_of_nothing_has_points_all_along_each_ray(scene, monkeypatch):
    encoding, rays = random_encoding(scene, {"resolution": 16}, share=0.0), random_rays(scene)
    ours = encoding(*rays)
    assert is_fused(ours)
    assert not ours[:, encoding.options.points * encoding.options.channels].any()
    assert torch.allclose(ours, by_torch(monkeypatch, encoding, rays), atol=1e-4)


def test_gradients_of_the_same_threads_are_the_same_to_the_bit(scene):
    encoding, rays = random_encoding(scene, {"resolution": 16}), random_rays(scene, (3, 20, 20))
    features, upstream = [], torch.randn(3, encoding.channels, 20, 20)
    for threads in (1, 3):
        with limited_threads(threads):
            features.append(encoding(*rays))
            once, again = (with_gradient(encoding(*rays), encoding, upstream) for _ in range(2))
        assert torch.equal(once, again)
    assert torch.equal(*features)


def test_new_geometry_and_loaded_features_are_seen_at_once(boxed, prepared, monkeypatch):
    rays = random_rays(boxed.scene)
    encoding = random_encoding(boxed.scene, {"resolution": 32})
    before = encoding(*rays)
    encoding.load_state_dict(prepared(boxed).state_dict())
    after = encoding(*rays)
    assert is_fused(after)
    assert (after - before).abs().max() > 0.1
    assert (after - by_torch(monkeypatch, encoding, rays)).abs().mean() < 1e-4


@pytest.mark.parametrize("what", ["rays with gradients", "double precision", "planes", "export", "deployed"])
def test_what_kernels_cannot_do_is_done_by_torch(what, boxed):
    encoding, rays = random_encoding(boxed.scene, {"resolution": 16}), random_rays(boxed.scene)
    if what == "rays with gradients":
        rays[0].requires_grad_()
        encoding(*rays)[:, -20:].sum().backward()
        assert rays[0].grad.any()
    elif what == "double precision":
        assert encoding.double()(*(tensor.double() for tensor in rays)).dtype == torch.float64
    elif what == "planes":
        options = {"resolution": 16, "lookup": "planes"}
        encoding = nfcore.plugins().build("encoding", "guided", options, boxed.scene)
        assert not is_fused(encoding(*rays))
    elif what == "export":
        assert "grid_sampler" in str(torch.export.export(encoding.eval(), rays).graph)
    else:
        assert not is_fused(encoding.deployed(nfcore.Target(volumes=True))(*rays))


def test_an_export_is_compared_with_what_torch_computes(monkeypatch, boxed, prepared, student):
    built = student(boxed, prepared(boxed, resolution=16, steps=12))
    reference = Reference(built)
    camera = reference.cameras[0]
    fused = built.render(camera)
    monkeypatch.setenv("NFCORE_KERNELS", "off")
    by_torch = built.render(camera)
    monkeypatch.delenv("NFCORE_KERNELS")
    assert not fused.equal(by_torch), "kernels that round as torch does could not tell which of them rendered"
    assert reference.images[0].equal(by_torch)
