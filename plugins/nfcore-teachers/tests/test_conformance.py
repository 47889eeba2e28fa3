"""The teachers keep their contract."""

import pytest

from nfcore.testing import TeacherConformance

pytestmark = pytest.mark.slow


class TestDeferred(TeacherConformance):
    component = "nfcore-teachers/deferred"
    options = {"resolution": 24, "samples_per_step": 3000}


class TestDeferredInTorch(TestDeferred):
    """What machines without kernels get."""

    @pytest.fixture(autouse=True)
    def _no_kernels(self, monkeypatch):
        monkeypatch.setenv("NFCORE_KERNELS", "off")


class TestVoxels(TeacherConformance):
    component = "nfcore-teachers/voxels"
    options = {"resolution": 24, "samples_per_step": 3000}


class TestHashGrid(TeacherConformance):
    component = "nfcore-teachers/hash-grid"
    steps = 400
    options = {
        "levels": 4,
        "log2_table": 12,
        "coarsest": 8,
        "finest": 32,
        "hidden": 16,
        "march_samples": 32,
        "samples_per_step": 3000,
        "learning_rate": 0.03,
    }


class TestNerf(TeacherConformance):
    component = "nfcore-teachers/nerf"
    options = {
        "depth": 4,
        "width": 32,
        "octaves": 4,
        "coarse": 16,
        "fine": 16,
        "rays_per_step": 256,
        "learning_rate": 5e-3,
    }


class TestMipNerf(TeacherConformance):
    component = "nfcore-teachers/mip-nerf"
    steps = 400
    options = {
        "depth": 4,
        "width": 32,
        "octaves": 4,
        "samples": 16,
        "rays_per_step": 256,
        "learning_rate": 5e-3,
        "final_learning_rate": 0.1,
    }
