"""The parts together: the paper's student, and what every student of them must do."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import nfcore
from nfcore import DeployedLightField

VARIANTS = {
    "paper": {},
    "box": {"encoding": {"span": "box"}},
    "linear": {"backbone": {"layer": "linear"}},
    "norm-free": {"backbone": {"norm": "none", "activation": "relu"}, "upsampler": "pixel-shuffle"},
    "x3": {"scale": 3},
    "x1": {"scale": 1},
}


@pytest.fixture(params=VARIANTS)
def student(request, build):
    return build(**VARIANTS[request.param])


@pytest.fixture(scope="module")
def papers_network():
    plugins = nfcore.plugins()
    backbone = plugins.build("backbone", "residual-conv", {}, 312)
    return torch.nn.Sequential(backbone, plugins.build("upsampler", "transposed-conv", {}, backbone.channels, 8))


def test_the_papers_student_has_the_parameters_of_the_reference(papers_network):
    assert sum(p.numel() for p in papers_network.parameters()) == 4_305_539


def test_the_papers_student_needs_50_gmac_for_800x800(papers_network):
    network = papers_network.to("meta").eval()
    with FlopCounterMode(display=False) as counter:
        image = network(torch.empty(1, 312, 100, 100, device="meta"))
    assert image.shape == (1, 3, 800, 800)
    assert counter.get_total_flops() / 2 == pytest.approx(50.6e9, rel=1e-3)


def test_names_of_weights_say_where_they_are(build):
    names = set(build(upsampler_options={"blocks": 1}, scale=2).state_dict())
    parts = [
        "backbone.head.0",
        "backbone.body.1.branch.3",
        "upsampler.stages.0.0",
        "upsampler.stages.0.1.branch.0",
    ]
    assert {f"{part}.{kind}" for part in [*parts, "upsampler.to_rgb.0"] for kind in ("weight", "bias")} <= names
    assert {name.split(".")[0] for name in names} == {"backbone", "upsampler"}


def test_a_student_renders_its_image_size(student):
    image = student(student.cameras)
    assert image.shape == (3, 3, student.cameras.height, student.cameras.width)
    assert image.min() >= 0
    assert image.max() <= 1


def test_in_eval_mode_an_image_does_not_depend_on_its_batch(student):
    together = student(student.cameras)
    torch.testing.assert_close(together[1:2], student(student.cameras[1]), atol=1e-6, rtol=0)


def test_every_weight_gets_a_gradient(student):
    student.train()(student.cameras).square().mean().backward()
    for name, parameter in student.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert student.backbone.head[0].weight.grad.abs().sum() > 0


def test_deployed_it_computes_what_it_computes_in_eval_mode(student):
    deployed = DeployedLightField(student)
    image = deployed(student.cameras.poses, student.cameras.intrinsics)
    torch.testing.assert_close(image, student(student.cameras), atol=1e-5, rtol=0)


def test_saved_and_loaded_it_is_the_same(student, tmp_path):
    student.save(tmp_path / "student.safetensors")
    loaded = nfcore.LightField.load(tmp_path / "student.safetensors")
    assert torch.equal(loaded(student.cameras), student(student.cameras))


def test_it_learns(build):
    student = build(backbone={"norm": "none"}, upsampler="pixel-shuffle").train()
    target = torch.rand(1, 3, 1, 1)
    optimizer = torch.optim.Adam(student.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        loss = (student(student.cameras) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]


@pytest.mark.parametrize(
    ("variant", "warped"), [("paper", False), ("box", False), ("linear", False), ("norm-free", True)]
)
def test_it_exports_as_one_graph_with_any_batch(build, scene, forward_facing, variant, warped):
    student = build(**VARIANTS[variant], scene=forward_facing if warped else scene)
    deployed = DeployedLightField(student)
    batch = torch.export.Dim("batch")
    cameras = student.cameras
    program = torch.export.export(
        deployed, (cameras.poses, cameras.intrinsics), dynamic_shapes=({0: batch}, {0: batch})
    )
    for n in (1, 2, 3):
        poses, intrinsics = cameras.poses[:n], cameras.intrinsics[:n]
        torch.testing.assert_close(
            program.module()(poses, intrinsics), deployed(poses, intrinsics), atol=1e-6, rtol=0
        )
    ranks = [
        node.meta["val"].ndim for node in program.graph.nodes if isinstance(node.meta.get("val"), torch.Tensor)
    ]
    assert max(ranks) <= 5
