"""What the tests share: a scene whose photos are computed from three Gaussians."""

from __future__ import annotations

import math

import pytest
import torch
from blob_fields.blobs import Blobs

import nfcore
from nfcore import Cameras, OrbitRegion, RaySource, Scene, Views

SCENE = Scene(near=2.0, far=6.0, box=((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)))
REGION = OrbitRegion(torch.zeros(3), torch.tensor([0.0, 0.0, 1.0]), radius=(4.0, 4.0), height=(0.1, 0.8))
SIDE = 24


def three_blobs() -> Blobs:
    """Three dense Gaussians of different colours that do not overlap."""
    teacher = Blobs(Blobs.Options(blobs=3), SCENE).eval()
    with torch.no_grad():
        teacher.places.copy_(torch.tensor([[0.3, 0.0, 0.0], [-0.2, 0.25, 0.0], [-0.1, -0.2, 0.2]]))
        teacher.log_radii.fill_(math.log(0.08))
        teacher.log_densities.fill_(math.log(40.0))
        teacher.colours.copy_(4 * torch.eye(3) - 2)
    return teacher


class Photos(RaySource):
    """Photos of the three Gaussians, with alpha."""

    name = "three-blobs"
    scene = SCENE

    def __init__(self, with_alpha: bool = True) -> None:
        super().__init__(nfcore.Options(), SIDE)
        self.with_alpha = with_alpha

    def views(self, split: nfcore.Split) -> Views:
        n = {"train": 10, "val": 0, "test": 2}[split]
        cameras = self.sample_cameras(n, torch.Generator().manual_seed(len(split)))
        seen = three_blobs().render(cameras.rays().flat())
        images, alpha = seen.rgb.view(n, SIDE, SIDE, 3), seen.opacity.view(n, SIDE, SIDE)
        return Views(cameras, images, alpha if self.with_alpha else None, tuple(str(i) for i in range(n)))

    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        intrinsics = torch.tensor([[1.5 * SIDE, 1.5 * SIDE, SIDE / 2, SIDE / 2]]).repeat(n, 1)
        return Cameras(REGION.sample(n, generator), intrinsics, SIDE, SIDE)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def scene() -> Scene:
    return SCENE


@pytest.fixture
def truth() -> Blobs:
    return three_blobs()


@pytest.fixture
def photos() -> Photos:
    return Photos()


@pytest.fixture
def photos_without_alpha() -> Photos:
    return Photos(with_alpha=False)
