"""Each convention, with numbers that were computed by hand from the format's definition."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from nfcore import Cameras
from nfcore_scenes.colmap_files import read_model
from nfcore_scenes.lenses import Lens
from nfcore_scenes.llff import Llff, read_poses_bounds
from nfcore_scenes.transforms import TransformsJson
from nfcore_scenes.transforms_file import Frame, Transforms, lens_of


def corner_ray(pose, focal, cx, cy, height, width):
    """The direction through the centre of the first pixel."""
    cameras = Cameras(pose[None].float(), torch.tensor([[focal, focal, cx, cy]]), height, width)
    return cameras.rays().directions[0, 0, 0].tolist()


# -- LLFF: columns are down, right, backwards, position, (height, width, focal); then two depths ------------------


def llff_row(right, up, backward, position, size=(6, 8, 10), depths=(4.0, 12.0)):
    matrix = np.stack([-np.array(up), right, backward, position, size], 1)
    return np.concatenate([matrix.ravel(), depths])


UPRIGHT = {"right": [1.0, 0, 0], "up": [0, 1.0, 0], "backward": [0, 0, 1.0]}


def test_llff_axes_become_opengl_axes(tmp_path):
    """Down (0, -1, 0), right (1, 0, 0), backwards (0, 0, 1) is a camera that looks along -z with y up.

    The first pixel's centre is (.5, .5): x = (.5 - 4) / 10, y = -(.5 - 3) / 10.
    """
    np.save(tmp_path / "poses_bounds.npy", [llff_row(**UPRIGHT, position=[1, 2, 3])])
    poses, sizes, bounds = read_poses_bounds(tmp_path / "poses_bounds.npy")
    assert poses[0].tolist() == [[1, 0, 0, 1], [0, 1, 0, 2], [0, 0, 1, 3]]
    assert sizes == [(6, 8, 10)] and bounds.tolist() == [[4, 12]]
    assert corner_ray(poses[0], 10, 4, 3, 6, 8) == pytest.approx([-0.35, 0.25, -1])


def test_an_llff_camera_on_its_side_looks_where_it_should(tmp_path):
    """Turned by a quarter so that its right is the world's up: the first pixel is down and right of the axis."""
    row = llff_row(right=[0, 1.0, 0], up=[-1.0, 0, 0], backward=[0, 0, 1.0], position=[0, 0, 0])
    np.save(tmp_path / "poses_bounds.npy", [row])
    poses, _, _ = read_poses_bounds(tmp_path / "poses_bounds.npy")
    assert corner_ray(poses[0], 10, 4, 3, 6, 8) == pytest.approx([-0.25, -0.35, -1])


def test_llff_captures_are_scaled_and_recentred(tmp_path):
    """The least depth is 4, so lengths are multiplied with 1 / (4 * .75) = 1/3 (NeRF, load_llff.py, bd_factor).

    The mean of the cameras at x = 4, 5, 6 is the new origin, so they end at -1/3, 0, 1/3; far is 12 / 3.
    """
    folder = tmp_path / "row"
    (folder / "images").mkdir(parents=True)
    np.save(folder / "poses_bounds.npy", [llff_row(**UPRIGHT, position=[x, 7.0, -2.0]) for x in (4.0, 5.0, 6.0)])
    for index in range(3):
        Image.new("RGB", (8, 6), (index, 0, 0)).save(folder / "images" / f"{index}.png")
    source = Llff(Llff.Options(path=folder))
    assert source.scene.forward_facing
    assert (source.scene.near, source.scene.far) == pytest.approx((1, 4))
    (test,), train = source.views("test").cameras.poses, source.views("train").cameras.poses
    assert test.flatten().tolist() == pytest.approx([1, 0, 0, -1 / 3, 0, 1, 0, 0, 0, 0, 1, 0], abs=1e-6)
    assert train[:, 0, 3].tolist() == pytest.approx([0, 1 / 3], abs=1e-6)
    assert train[:, 1:, 3].abs().max() < 1e-6


# -- COLMAP: world to camera as quaternion (w, x, y, z) and translation; x right, y down, z forwards ----------


def colmap_text(folder, quaternion, translation, camera="PINHOLE 8 6 10 10 4 3"):
    folder.mkdir()
    (folder / "cameras.txt").write_text(f"1 {camera}\n")
    pose = " ".join(map(str, (*quaternion, *translation)))
    (folder / "images.txt").write_text(f"1 {pose} 1 a.png\n1.0 2.0 -1\n")
    (folder / "points3D.txt").write_text("1 0 0 0 10 20 30 0.5 1 0\n")
    return read_model(folder).photos[0]


def test_a_colmap_camera_looks_along_plus_z_with_y_down(tmp_path):
    """R = I, t = (0, 0, 2): the centre is -R^T t = (0, 0, -2), right (1, 0, 0), up (0, -1, 0), back (0,0,-1).

    The first pixel is seen along ((.5 - 4) / 10, (.5 - 3) / 10, 1).
    """
    photo = colmap_text(tmp_path / "m", (1, 0, 0, 0), (0, 0, 2))
    assert photo.pose.tolist() == [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, -2]]
    assert corner_ray(photo.pose, 10, 4, 3, 6, 8) == pytest.approx([-0.35, -0.25, 1])


def test_a_turned_colmap_camera_looks_where_its_quaternion_says(tmp_path):
    """A quarter about y, q = (cos 45, 0, sin 45, 0), takes world z to camera x: R = [[0,0,1],[0,1,0],[-1,0,0]].

    The camera's forward axis is R's third row, (-1, 0, 0); with t = (3, 0, 5), the centre -R^T t is (5, 0, -3).
    """
    photo = colmap_text(tmp_path / "m", (math.sqrt(0.5), 0, math.sqrt(0.5), 0), (3, 0, 5))
    assert (-photo.pose[:, 2]).tolist() == pytest.approx([-1, 0, 0], abs=1e-6)
    assert photo.pose[:, 3].tolist() == pytest.approx([5, 0, -3], abs=1e-6)
    # Right is R's first row (0, 0, 1), down its second (0, 1, 0).
    assert corner_ray(photo.pose, 10, 4, 3, 6, 8) == pytest.approx([-1, -0.25, -0.35], abs=1e-6)


# -- lenses: where the direction (.3, -.2, 1) is seen, from the models' formulas --------------------------------


@pytest.mark.parametrize(
    ("model", "params", "factor_x", "factor_y"),
    [
        ("SIMPLE_RADIAL", (100.0, 50.0, 40.0, 0.1), 1 + 0.1 * 0.13, 1 + 0.1 * 0.13),
        ("RADIAL", (100.0, 50.0, 40.0, 0.1, 0.5), *[1 + 0.1 * 0.13 + 0.5 * 0.13**2] * 2),
        (
            "OPENCV_FISHEYE",
            (100.0, 100.0, 50.0, 40.0, 0.1, 0.0, 0.0, 0.0),
            *[math.atan(math.sqrt(0.13)) * (1 + 0.1 * math.atan(math.sqrt(0.13)) ** 2) / math.sqrt(0.13)] * 2,
        ),
        (
            "OPENCV",  # x'' = x r + 2 p1 x y + p2 (r2 + 2 x2), y'' = y r + p1 (r2 + 2 y2) + 2 p2 x y
            (100.0, 100.0, 50.0, 40.0, 0.1, 0.0, 0.01, 0.02),
            1 + 0.1 * 0.13 + (2 * 0.01 * 0.3 * -0.2 + 0.02 * (0.13 + 2 * 0.09)) / 0.3,
            1 + 0.1 * 0.13 + (0.01 * (0.13 + 2 * 0.04) + 2 * 0.02 * 0.3 * -0.2) / -0.2,
        ),
    ],
)
def test_a_lens_looks_a_direction_up_where_its_formula_says(model, params, factor_x, factor_y):
    """r2 = .3^2 + .2^2 = .13."""
    lens = Lens(model, 80, 100, params)
    # The pinhole's only pixel looks along (.3, -.2, 1): (.5 - cx) / 1 = .3, (.5 - cy) / 1 = -.2.
    place = lens.source_pixels((1.0, 1.0, 0.2, 0.7), 1, 1)[0, 0]
    assert place.tolist() == pytest.approx([50 + 100 * 0.3 * factor_x, 40 - 100 * 0.2 * factor_y], abs=1e-3)


def test_a_pinhole_of_the_photos_size_is_its_own():
    assert Lens("PINHOLE", 6, 8, (10.0, 11.0, 4.5, 3.5)).pinhole() == (10, 11, 4.5, 3.5)


def test_the_pinhole_of_a_lens_sees_the_largest_window_without_blank_pixels():
    """Barrel distortion pulls the border in: the window's edge midpoints lie on the photo's border."""
    lens = Lens("SIMPLE_RADIAL", 100, 100, (100.0, 50.0, 50.0, -0.2))
    pinhole = lens.pinhole()
    fx, fy, cx, cy = pinhole
    assert fx == fy and (cx, cy) == pytest.approx((50, 50), abs=1e-6)
    # On the axis the border is where x (1 - .2 x^2) = .5.
    x = 50 / fx
    assert x * (1 - 0.2 * x * x) == pytest.approx(0.5, abs=1e-6)
    places = lens.source_pixels(pinhole, 100, 100)
    assert places.min() >= 0 and places.max() <= 100


# -- transforms.json --------------------------------------------------------------------------------------------

POSE = [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 4], [0, 0, 0, 1]]


def test_a_transforms_lens_may_be_an_angle_alone():
    """90 degrees over 100 pixels: f = 50 / tan 45 = 50."""
    transforms = Transforms(frames=[{"file_path": "a", "transform_matrix": POSE}], camera_angle_x=math.pi / 2)
    lens = lens_of(transforms, transforms.frames[0], (80, 100), "here")
    assert (lens.model, lens.params) == ("PINHOLE", pytest.approx((50, 50, 50, 40)))


def test_a_frames_own_numbers_come_before_the_files():
    frame = {"file_path": "a", "transform_matrix": POSE, "fl_x": 70.0, "k1": 0.1, "w": 90}
    transforms = Transforms(frames=[frame], fl_x=60.0, fl_y=61.0, cx=1.0, cy=2.0, w=100, h=80)
    lens = lens_of(transforms, transforms.frames[0], (1, 1), "here")
    assert (lens.model, lens.size) == ("OPENCV", (80, 90))
    assert lens.params == (70, 61, 1, 2, 0.1, 0, 0, 0)


def test_the_third_radial_coefficient_is_that_of_the_sixth_power():
    """As in OpenCV: (1 + k1 r^2 + k2 r^4 + k3 r^6), so at r = 1 the factor is 1.3."""
    frame = Frame(file_path="a", transform_matrix=POSE, fl_x=100, cx=50, cy=50, w=100, h=100, k3=0.3)
    lens = lens_of(Transforms(frames=[frame]), frame, (100, 100), "here")
    assert lens.source_pixels((1.0, 1.0, -0.5, 0.5), 1, 1)[0, 0].tolist() == pytest.approx([180, 50], abs=1e-3)


def test_instant_ngps_unit_cube_is_the_box_of_what_the_cameras_look_at(tmp_path):
    """x_ngp = .33 x + .5 in [0, 1] is x in [-1.515, 1.515] (nerf_matrix_to_ngp); photos see beyond."""
    frames = []
    for index in range(6):
        c, s = math.cos(index), math.sin(index)
        pose = [[c, 0, s, 4 * s], [0, 1, 0, 0], [-s, 0, c, 4 * c], [0, 0, 0, 1]]
        frames.append({"file_path": f"{index}.png", "transform_matrix": pose})
        Image.new("RGB", (8, 8), (9 * index, 0, 0)).save(tmp_path / f"{index}.png")
    (tmp_path / "transforms.json").write_text(
        json.dumps({"camera_angle_x": 0.7, "aabb_scale": 16, "frames": frames})
    )
    scene = TransformsJson(TransformsJson.Options(path=tmp_path)).scene
    assert torch.tensor(scene.box).flatten().tolist() == pytest.approx([-1.51515] * 3 + [1.51515] * 3, abs=1e-4)
    assert scene.unbounded and scene.far > 16 * 1.5
