"""Fitting, distilling, fine-tuning and rendering stay on their device, in single precision on the GPU of a Mac.

The device is not there: see ``remote_device``.
"""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from remote_device import DEVICE, remote

from nfcore import Budget, UserError, plugins
from nfcore.config.schema import DistillConfig, FinetuneConfig
from nfcore.pipeline import distill, finetune, teach
from nfcore.runtime import choose_device, devices
from nfcore.testing import tiny_student
from nfcore.training import optimizers
from nfcore.views import render_view

#: A view takes a second on a device that is not there.
FEW = {"train_views": 8, "val_views": 2, "test_views": 2}

pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True")


@pytest.fixture
def device(monkeypatch):
    """A device without double precision, as the GPU of a Mac."""
    monkeypatch.setattr(devices, "_KINDS", [*devices._KINDS, DEVICE.type])
    monkeypatch.setattr(devices, "_SINGLE_PRECISION", [DEVICE.type])
    with remote(double_precision=False):
        yield DEVICE


# nerf and mip-nerf have torch's fused Adam, which refuses the device by its name.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("voxels", {"resolution": 16}),
        ("hash-grid", {"levels": 4, "log2_table": 12}),
    ],
)
def test_a_teacher_is_fitted_and_renders_on_its_device(device, name, options):
    source = plugins().build("ray_source", "procedural", FEW, 16)
    teacher = plugins().build("teacher", name, options, source.scene).to(device)
    teach(teacher, source, Budget(4))
    seen = render_view(teacher, source.views("test").cameras[0])
    assert seen.rgb.device == device
    assert bool(seen.rgb.isfinite().all())


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_student_learns_from_its_teacher_and_the_photos_on_its_device(device, monkeypatch, optimizer):
    # Torch has a list of devices that it casts on, too.
    monkeypatch.setattr("nfcore.training.loop.autocast", lambda dtype, device: nullcontext())
    monkeypatch.setattr(optimizers, "_AdamW", without_fusion)
    source = plugins().build("ray_source", "procedural", FEW, 16)
    teacher = plugins().build("teacher", "voxels", {"resolution": 16}, source.scene)
    teach(teacher, source, Budget(20))
    student = tiny_student(height=16, width=16).to(device)
    # Each thread has its own devices: views are rendered by the one that trains.
    work = {"batch": 2, "crop": 4, "optimizer": optimizer, "precision": "fp32"}
    shown = DistillConfig(steps=4, views=4, first_views=2, background=False, photos=0.5, **work)
    distill(student, teacher.to(device), source, shown)
    finetune(student, source, FinetuneConfig(steps=2, **work), teacher=teacher)
    image = student.render(source.views("test").cameras[0])
    assert bool(image.isfinite().all())


def without_fusion(groups, fused, **options):
    """AdamW, of which torch has a fused form for devices that it knows by name."""
    return torch.optim.AdamW(groups, **options)


def test_what_a_gpu_refuses_is_refused(device):
    there = torch.arange(4.0).to(device)
    with pytest.raises(RuntimeError, match="main memory"):
        there + torch.arange(4.0)
    assert (there + 1).cpu().tolist() == [1, 2, 3, 4]


def test_double_precision_is_refused_where_there_is_none(device):
    with pytest.raises(TypeError, match="float64"):
        torch.arange(4.0).to(device).double()


def test_auto_takes_the_gpu_of_a_mac(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device().type == "mps"
    assert choose_device("mps").type == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device().type == "cpu"
    with pytest.raises(UserError, match="mps"):
        choose_device("mps")
