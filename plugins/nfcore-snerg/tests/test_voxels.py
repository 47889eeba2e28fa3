"""Voxels: the lattice of their samples, their atlas, their kernels, and what is left out of them."""

import math
from types import SimpleNamespace

import pytest
import snerg_ball
import torch
import torch.nn.functional as F

from nfcore import Scene, UserError
from nfcore_snerg.atlas import Atlas, block_order
from nfcore_snerg.descent import Fused, Weights
from nfcore_snerg.fitting import prune
from nfcore_snerg.frame import Frame, VoxelGrid
from nfcore_snerg.lattice import sample
from nfcore_snerg.pixels import Pixels
from nfcore_snerg.teacher import Snerg
from nfcore_snerg.voxels import fitted_of, premultiplied, rounded

GRID = VoxelGrid((0.0, 0.0, 0.0), 1.0, (24, 6, 6), 6)


def line(y=3.2, z=2.7, near=0.0):
    return torch.tensor([[-5.0, y, z]]), torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([near])


def test_samples_are_a_voxel_apart_and_begin_again_behind_an_empty_block():
    slots = torch.tensor([0, -1, 1, 2], dtype=torch.int32).view(4, 1, 1)
    found = sample(GRID, slots, *line(near=5.2))
    x = found.t - 5
    assert x[:6].tolist() == pytest.approx([0.7 + i for i in range(6)], abs=1e-5)
    # Block 1 ends at 12: what follows is on a lattice from there.
    assert x[6:].tolist() == pytest.approx([12.5 + i for i in range(12)], abs=1e-5)
    assert found.slot.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert torch.allclose(found.place[6], torch.tensor([1.5, 4.2, 3.7]))


def test_a_ray_past_the_grid_has_no_samples():
    slots = torch.zeros(4, 1, 1, dtype=torch.int32)
    assert not len(sample(GRID, slots, *line(y=7.0)).t)


def test_a_voxel_is_the_same_row_in_all_blocks_that_see_it():
    voxels = torch.arange(24 * 36)
    atlas = Atlas.of(GRID, voxels[block_order(GRID, voxels)])
    assert (atlas.slots >= 0).all()
    for axis_end, axis_start in ((6, 0), (7, 1)):
        assert torch.equal(atlas.rows[0, axis_end], atlas.rows[1, axis_start])
    assert (atlas.rows[:, :, 0] == 0).all(), "nothing is stored outside the grid"


def test_a_block_next_to_a_stored_voxel_is_stored_too():
    voxel = torch.tensor([5 * 36 + 14])  # x = 5, the last of block 0
    atlas = Atlas.of(GRID, voxel)
    assert (atlas.slots.flatten() >= 0).tolist() == [True, True, False, False]
    assert atlas.rows.count_nonzero() == 2


def test_what_is_stored_comes_from_what_is_fitted_and_back():
    fine = VoxelGrid((0.0, 0.0, 0.0), 0.03, (24, 6, 6), 6)
    fitted = torch.cat(
        [torch.linspace(-0.3, 0.8, 40)[:, None], torch.rand(40, 7, generator=torch.Generator().manual_seed(0))], 1
    )
    assert torch.allclose(fitted_of(premultiplied(fitted, fine), fine), fitted, atol=2e-3)
    stored = rounded(premultiplied(fitted, fine))
    assert torch.equal(rounded(stored), stored)


def test_z_is_up_in_the_scene_and_y_in_the_viewer():
    frame = Frame.of(Scene(near=1, far=9, box=((0, 0, 0), (1, 2, 6))))
    points = torch.tensor([[0.0, 1.5, 0.0], [0.5, 0.0, 1.0]])
    assert torch.allclose(frame.points(points), torch.tensor([[0.5, 1.0, 6.0], [-0.5, 3.0, 3.0]]))


def test_voxels_behind_surfaces_are_left_out():
    teacher, cameras = snerg_ball.teacher(), snerg_ball.cameras()
    before, expected = len(teacher.voxels), teacher.render_views(cameras).rgb

    prune(teacher, SimpleNamespace(cameras=cameras), 0.0)
    assert len(teacher.voxels) < before
    assert snerg_ball.psnr(teacher.render_views(cameras).rgb, expected) > 40
    centre = torch.tensor(teacher.grid(snerg_ball.RESOLUTION).shape) // 2
    places = torch.stack(torch.unravel_index(teacher.voxels, teacher.grid(snerg_ball.RESOLUTION).shape), 1)
    assert (places - centre).abs().amax(1).min() > 1, "the middle of an opaque ball"


@pytest.mark.parametrize("kind", ["forward_facing", "unbounded"])
def test_a_scene_without_a_box_is_refused(kind):
    scene = Scene(near=1, far=8, box=((-8, -4, -8), (8, 4, -1)), **{kind: True})
    with pytest.raises(UserError, match=f"{kind.replace('_', '-')}.*webgl"):
        Snerg(Snerg.Options(), scene)


@pytest.mark.slow
def test_kernels_see_what_torch_sees_and_return_its_gradients(kernels):
    teacher = snerg_ball.teacher()
    renderer, rays = teacher.renderer(), snerg_ball.cameras().rays().flat()
    in_grid = renderer.rays(rays)
    assert renderer.kernels is kernels
    seen, expected = renderer.fused(in_grid), renderer.differentiable(in_grid, teacher.table)
    assert (seen.rgb - expected.rgb).abs().quantile(0.99) < 1e-4
    assert (seen.t - expected.t).abs().quantile(0.99) < 1e-2

    generator = torch.Generator().manual_seed(1)
    pixels = Pixels(
        rays, torch.rand(len(rays), 3, generator=generator), torch.rand(len(rays), generator=generator)
    )
    jitter = torch.rand(len(rays), generator=generator)
    fused = Fused(renderer, fitted_of(teacher.table, renderer.atlas.grid), Weights(0.1, 0.0), 2)
    fused.network.step = lambda: None
    fused._move = lambda rate: None
    error, _ = fused.step(pixels, jitter, (0.01, 0.01))
    slopes, network = torch.from_numpy(fused.gradients.sum(0)).view(-1, 8), teacher.network.weights.grad.clone()

    table = teacher.table.clone().requires_grad_()
    teacher.network.zero_grad()
    by_torch = renderer.differentiable(in_grid, table, jitter)
    loss = F.mse_loss(by_torch.rgb, pixels.colours)
    assert error == pytest.approx(loss.item(), rel=1e-3)
    (loss + 0.1 * F.mse_loss(by_torch.sums[:, 0], pixels.alpha)).backward()
    assert (slopes - table.grad)[1:].norm() < 0.01 * table.grad[1:].norm()
    assert (network - teacher.network.weights.grad).norm() < 0.01 * network.norm()
    assert math.isfinite(error)
