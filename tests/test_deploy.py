"""What exporters convert computes what the student computes in eval mode."""

from __future__ import annotations

import pytest
import tiny
import torch
from torch import nn

from nfcore import DeployedLightField, camera_render, ray_grid
from nfcore.exports.deploy import fold_norms
from nfcore.student.complexity import LookUps, macs, macs_and_look_ups, parameters


def unsettled(module: nn.Module) -> nn.Module:
    """Give every norm running statistics and weights as uneven as a trained one's."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.2, 3)
            nn.init.normal_(norm.weight, 1, 0.5)
            nn.init.normal_(norm.bias)
    return module.eval()


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        yield


NETWORKS = {
    "convolution": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU()), (2, 4, 5, 7)),
    "convolution without bias": (
        lambda: nn.Sequential(nn.Conv2d(4, 6, 1, bias=False), nn.BatchNorm2d(6)),
        (2, 4, 5, 7),
    ),
    "transposed convolution": (
        lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 4, 2, 1), nn.BatchNorm2d(6), nn.GELU()),
        (2, 4, 5, 7),
    ),
    "linear": (lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU()), (9, 4)),
    "nested": (
        lambda: nn.Sequential(
            nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
        ),
        (1, 4, 3, 3),
    ),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_a_folded_network_computes_what_the_network_does_in_eval_mode(network):
    make, shape = NETWORKS[network]
    module = unsettled(make())
    x = torch.randn(shape)
    with torch.no_grad():
        before = module(x)
        folded = fold_norms(module)
        torch.testing.assert_close(folded(x), before, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in folded.modules())


def test_a_norm_that_follows_no_convolution_stays():
    module = unsettled(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)))
    x = torch.randn(1, 3, 4, 4)
    with torch.no_grad():
        before = module(x)
        assert torch.equal(fold_norms(module)(x), before)
    assert isinstance(module[2], nn.BatchNorm2d)


def test_a_deployed_student_renders_what_the_student_renders():
    student = unsettled(tiny.student(norm=True))
    deployed = DeployedLightField(student)
    image = deployed(student.cameras.poses, student.cameras.intrinsics)
    torch.testing.assert_close(image, student.render(student.cameras), rtol=0, atol=1e-5)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in deployed.modules())


def test_deploying_leaves_the_student_as_it_was():
    student = unsettled(tiny.student(norm=True)).train()
    before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    DeployedLightField(student, half_network=True)
    assert student.training
    assert all(p.requires_grad for p in student.parameters())
    for name, tensor in student.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert tensor.dtype == before[name].dtype


def test_a_half_network_keeps_rays_and_encoding_in_float32():
    student = tiny.student(encoding={"jitter": 0.3})
    student.encoding.prepare(tiny.fitted_teacher(), tiny.SCENE, tiny.cameras(torch.eye(4)[None, :3]))
    deployed = DeployedLightField(student, half_network=True)
    seen = {}
    deployed.rays.encoding.register_forward_hook(
        lambda m, args, out: seen.update(rays=args[1].dtype, features=out.dtype)
    )
    deployed.image.network.register_forward_hook(lambda m, args, out: seen.update(network=out.dtype))
    image = deployed(student.cameras.poses, student.cameras.intrinsics)
    assert seen == {"rays": torch.float32, "features": torch.float32, "network": torch.float16}
    assert deployed.rays.encoding.prepared.dtype == torch.float32
    assert image.dtype == torch.float32
    # float16 has 11 significant bits: three layers deep, colours in [0, 1] stay within a few of 2^-11
    torch.testing.assert_close(image, student.render(student.cameras), rtol=0, atol=4 * 2**-11)


def test_parameters_and_macs_are_those_counted_by_hand():
    student = tiny.student()  # 4 x 4 rays; 1x1 convolutions 3 -> 8 -> 8, then 3x3 to 3 * 4 * 4 channels
    assert parameters(student) == (3 * 8 + 8) + (8 * 8 + 8) + (9 * 8 * 48 + 48)
    assert macs(student) == 4 * 4 * (3 * 8 + 8 * 8 + 9 * 8 * 48)


def test_look_ups_are_the_rows_that_are_read_and_their_bytes():
    student = tiny.student()
    assert macs_and_look_ups(student)[1] == LookUps(0, 0)

    class Planes(torch.nn.Module):
        """Eight channels, looked up at 4 x 4 places in a plane."""

        def forward(self, features):
            grid = features.new_zeros(1, 4, 4, 2)
            plane = features.new_zeros(1, 8, 16, 16)
            return torch.nn.functional.grid_sample(plane, grid, align_corners=True)

    student.backbone = Planes()
    assert macs_and_look_ups(student)[1] == LookUps(rows=4 * 4 * 4, bytes=4 * 4 * 4 * 8 * 4)


def test_from_rays_of_any_grid_it_gives_what_the_student_shows_a_camera_of_that_size():
    student = tiny.student()
    of_rays = DeployedLightField(student).of_rays
    for height, width in ((16, 16), (8, 20), (40, 24)):
        camera = tiny.cameras(student.cameras.poses, height, width)
        rays = ray_grid(camera.poses, camera.intrinsics, height, width, student.scale)
        torch.testing.assert_close(of_rays(*rays), student.render(camera), rtol=0, atol=1e-6)


def test_from_rays_it_converts_with_free_rows_and_columns():
    of_rays = DeployedLightField(tiny.student()).of_rays
    axes = {0: torch.export.Dim("batch"), 2: torch.export.Dim("rows"), 3: torch.export.Dim("columns")}
    example = (torch.randn(2, 3, 5, 7), torch.randn(2, 3, 5, 7))
    program = torch.export.export(of_rays, example, dynamic_shapes=(axes, axes))
    rays = (torch.randn(3, 3, 4, 9), torch.randn(3, 3, 4, 9))
    torch.testing.assert_close(program.module()(*rays), of_rays(*rays), rtol=0, atol=1e-6)


def test_from_rays_the_rays_stay_float32_where_the_network_is_half():
    student = tiny.student()
    of_rays = DeployedLightField(student, half_network=True).of_rays
    seen = {}
    of_rays.encoding.register_forward_hook(
        lambda m, args, out: seen.update(rays=args[1].dtype, features=out.dtype)
    )
    camera = student.cameras
    image = of_rays(*ray_grid(camera.poses, camera.intrinsics, 16, 16, 4))
    assert seen == {"rays": torch.float32, "features": torch.float32}
    assert image.dtype == torch.float32
    torch.testing.assert_close(image, student.render(camera), rtol=0, atol=4 * 2**-11)


def test_files_that_take_rays_are_run_at_cameras():
    student = tiny.student()
    render = camera_render(DeployedLightField(student).of_rays, 16, 16, student.scale)
    image = render(student.cameras.poses, student.cameras.intrinsics)
    torch.testing.assert_close(image, student.render(student.cameras), rtol=0, atol=1e-6)
