"""Rays go through pixel centres, at every scale, crop and index."""

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st

from nfcore import Cameras, Rays, UserError, ray_grid
from nfcore.geometry.orbits import look_at
from nfcore.scene.cameras import grid_shape

# A camera at (1, 2, 3) that looks along +x with z upwards: its axes are x right = -y, y up = z, backward = -x.
POSE = torch.tensor([[[0.0, 0, -1, 1], [-1, 0, 0, 2], [0, 1, 0, 3]]])
INTRINSICS = torch.tensor([[10.0, 20, 4, 3]])


def random_cameras(n: int = 3, height: int = 12, width: int = 20) -> Cameras:
    generator = torch.Generator().manual_seed(1)
    eyes = 3 * torch.randn(n, 3, generator=generator)
    poses = look_at(eyes, torch.zeros(3), torch.tensor([0.0, 0, 1]))
    intrinsics = torch.tensor([15.0, 17, 9.3, 6.1]) + torch.rand(n, 4, generator=generator)
    return Cameras(poses, intrinsics, height, width)


def test_the_ray_through_a_pixel_is_the_one_computed_by_hand():
    rays = Cameras(POSE, INTRINSICS, 6, 8).rays()
    # Pixel (row 1, column 6) has its centre at (6.5, 1.5): x = 2.5/10 right, y = 1.5/20 up, z = -1.
    # World: right is -y, up is z, forward is +x.
    torch.testing.assert_close(rays.directions[0, 1, 6], torch.tensor([1.0, -0.25, 0.075]))
    assert torch.equal(rays.origins[0, 1, 6], torch.tensor([1.0, 2, 3]))


def test_a_footprint_is_the_distance_between_neighbouring_pixels_at_depth_one():
    square = Cameras(POSE, torch.tensor([[10.0, 10, 4, 3]]), 6, 8).rays()
    neighbours = (square.directions[0, 1, 6] - square.directions[0, 1, 5]).norm()
    torch.testing.assert_close(square.footprint, neighbours.expand(1, 6, 8))
    flat = Cameras(POSE, INTRINSICS, 6, 8).rays()  # 1/10 wide, 1/20 high: as large as a square of this side
    torch.testing.assert_close(flat.footprint, torch.full((1, 6, 8), 0.005**0.5))


def test_rays_keep_their_footprint_however_they_are_chosen():
    cameras = random_cameras()
    rays = cameras.rays()
    assert torch.equal(rays[1:, ::2].flat().footprint, rays.footprint[1:, ::2].flatten())
    assert torch.equal(torch.cat([part.footprint for part in rays.flat().split(100)]), rays.footprint.flatten())
    assert torch.equal(cameras.pixel_rays(torch.tensor([0, 239, 240])).footprint, rays.footprint[[0, 0, 1], 0, 0])
    by_hand = Rays(torch.zeros(4, 3), torch.ones(4, 3))
    assert by_hand.flat().footprint is by_hand[:2].footprint is None


def test_cameras_and_rays_are_one_line_in_a_debugger():
    assert repr(random_cameras()) == "Cameras(3 of 12x20)"
    assert repr(random_cameras().rays()) == "Rays(3x12x20)"


def test_iterated_over_they_are_single_cameras():
    cameras = random_cameras()
    assert [len(camera) for camera in cameras] == [1, 1, 1]
    assert torch.equal(torch.cat([camera.poses for camera in cameras]), cameras.poses)


def test_directions_have_z_minus_one_in_camera_space():
    cameras = random_cameras()
    directions = cameras.rays().directions.flatten(1, 2) @ cameras.poses[:, :, :3]
    torch.testing.assert_close(directions[..., 2], -torch.ones(3, 240))


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_at_a_scale_each_ray_is_the_mean_of_its_block_of_pixels(scale):
    cameras = random_cameras()
    _, full = ray_grid(cameras.poses, cameras.intrinsics, 12, 20)
    _, coarse = ray_grid(cameras.poses, cameras.intrinsics, 12, 20, scale)
    assert coarse.shape == (3, 3, 12 // scale, 20 // scale)
    torch.testing.assert_close(coarse, torch.nn.functional.avg_pool2d(full, scale))


def test_a_crop_sees_a_window_of_the_whole_view():
    cameras = random_cameras()
    top, left = torch.tensor([0, 5, 7]), torch.tensor([3, 0, 12])
    crop, whole = cameras.cropped(top, left, 5, 8).rays(), cameras.rays()
    for i in range(3):
        window = whole.directions[i, top[i] : top[i] + 5, left[i] : left[i] + 8]
        torch.testing.assert_close(crop.directions[i], window)
        assert torch.equal(crop.origins[i], whole.origins[i, :5, :8])


def test_a_crop_leaves_its_camera_as_it_was():
    cameras = random_cameras()
    before = cameras.intrinsics.clone()
    cameras.cropped(torch.tensor([1, 1, 1]), torch.tensor([1, 1, 1]), 2, 2)
    assert torch.equal(cameras.intrinsics, before)


def test_rays_by_pixel_index_are_those_of_the_whole_grid():
    cameras = random_cameras()
    pixels = torch.tensor([0, 19, 20, 239, 240, 719, 333])
    some, all_ = cameras.pixel_rays(pixels), cameras.rays().flat()
    torch.testing.assert_close(some.directions, all_.directions[pixels])
    assert torch.equal(some.origins, all_.origins[pixels])


def test_gradients_flow_to_poses_and_intrinsics():
    pose, intrinsics = POSE.clone().requires_grad_(), INTRINSICS.clone().requires_grad_()
    sum(part.square().sum() for part in ray_grid(pose, intrinsics, 4, 4, 2)).backward()
    assert (pose.grad.abs().sum((0, 1)) > 0).all()
    assert (intrinsics.grad != 0).all()


def test_split_rays_are_all_rays_in_their_order():
    rays = random_cameras().rays().flat()
    parts = list(rays.split(100))
    assert [len(part) for part in parts] == [100] * 7 + [20]
    assert torch.equal(torch.cat([part.directions for part in parts]), rays.directions)
    assert [len(part) for part in rays[:0].split(100)] == [0]


@pytest.mark.parametrize("index", [1, slice(1, 2), [1], torch.tensor([1])])
def test_any_index_gives_cameras(index):
    cameras = random_cameras()
    assert torch.equal(cameras[index].poses, cameras.poses[1:2])
    assert len(cameras[index]) == 1


@pytest.mark.parametrize(
    ("poses", "intrinsics"),
    [((2, 4, 4), (2, 4)), ((2, 3, 4), (2, 3)), ((2, 3, 4), (1, 4)), ((3, 4), (4,))],
)
def test_cameras_of_a_wrong_shape_are_refused_with_both_shapes(poses, intrinsics):
    with pytest.raises(UserError) as error:
        Cameras(torch.zeros(poses), torch.zeros(intrinsics), 4, 4)
    assert str(poses) in str(error.value)
    assert str(intrinsics) in str(error.value)


@given(st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 16))
def test_a_grid_either_fits_or_names_sizes_that_do(height, width, scale):
    if height % scale == width % scale == 0:
        assert grid_shape(height, width, scale) == (height // scale, width // scale)
        return
    with pytest.raises(UserError) as error:
        grid_shape(height, width, scale)
    sizes, _, scales = str(error.value).partition("; ")[2].partition(" would fit, or a scale of ")
    for size in sizes.split(" or "):
        h, w = map(int, size.split("x"))
        assert grid_shape(h, w, scale) == (h // scale, w // scale)
        assert abs(h - height) < scale
        assert abs(w - width) < scale
    for other in map(int, scales.split(" or ")):
        assert grid_shape(height, width, other) == (height // other, width // other)


def test_a_grid_that_does_not_fit_says_what_was_asked_for():
    with pytest.raises(UserError, match="100x90 does not divide into 8x8 blocks; 96x88 or 104x96 would fit"):
        grid_shape(100, 90, 8)


def test_the_tiny_scene_has_no_parallax():  # what the tests of crops and pseudo views stand on
    views = tiny.Ring(tiny.Ring.Options()).views("train")
    assert 0.1 < views.alpha.mean() < 0.9
    torch.testing.assert_close(tiny.sky(views.cameras.rays().directions), views.images)
