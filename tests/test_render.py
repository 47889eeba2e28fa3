"""Rendering along paths: where cameras go, what sizes show, what lies in the files."""

from __future__ import annotations

import math

import av
import numpy as np
import pytest
import tiny
import torch
from PIL import Image
from tiny_cameras import UP, assert_rigid, ring, row
from torch.nn import functional as F

import nfcore
from nfcore import UserError
from nfcore.geometry.coverage import beyond
from nfcore.geometry.forward_region import ForwardRegion
from nfcore.geometry.interpolation import resampled
from nfcore.geometry.orbits import OrbitRegion, look_at, spiral
from nfcore.io.videos import save_video
from nfcore.pipeline.depth import coloured, depth_range
from nfcore.pipeline.render import along, rendered, save_frames
from nfcore.scene.camera_paths import read_path
from nfcore.student.resampling import pixel_density, render_at

# -- paths -------------------------------------------------------------------------------------------


def test_a_spiral_winds_twice_from_the_lowest_camera_to_the_highest_and_closes():
    known = ring()
    poses = spiral(known, 240)
    assert_rigid(poses)
    region = OrbitRegion.around(known)
    offsets = poses[:, :, 3] - region.target
    height = offsets @ region.up / offsets.norm(dim=1)
    assert (float(height.min()), float(height.max())) == pytest.approx(region.height, abs=1e-3)
    azimuth = torch.atan2(offsets[:, 1], offsets[:, 0])
    turned = ((azimuth.roll(-1) - azimuth + math.pi) % (2 * math.pi) - math.pi).sum()
    assert abs(float(turned)) == pytest.approx(2 * 2 * math.pi, rel=1e-3)
    steps = (poses.roll(-1, 0) - poses)[:, :, 3].norm(dim=1)
    assert steps.max() < 3 * steps.median()  # the last step back to the first is one like the others


def test_a_forward_spiral_stays_in_the_box_comes_nearer_and_keeps_looking_at_one_point():
    region = ForwardRegion.around(row())
    poses = region.spiral(120, focus=4.0)
    assert_rigid(poses)
    eyes = poses[:, :, 3]
    assert ((eyes >= region.position[0]) & (eyes <= region.position[1])).all()
    assert (eyes.amax(0) - eyes.amin(0) > 0.4 * (region.position[1] - region.position[0])).all()
    focus = eyes[0] - 4.0 / abs(float(poses[0, 2, 2])) * poses[0, :, 2]  # near enough: where the first one looks
    towards = F.normalize(focus - eyes, dim=1)
    assert ((-poses[:, :, 2] * towards).sum(1) > 0.995).all()


@pytest.mark.parametrize("known", [ring(), row()])
@pytest.mark.parametrize("name", ["orbit", "spiral", "test"])
def test_no_path_leaves_where_the_cameras_are(known, name):
    facing = known.poses[0, 2, 2] > 0.9
    scene = tiny.SCENE.model_copy(update={"forward_facing": bool(facing)})
    cameras = along(name, known, scene, 30)
    assert len(cameras) == 30
    assert_rigid(cameras.poses)
    assert not beyond(known, cameras, forward_facing=bool(facing)).any()


def test_a_path_through_cameras_begins_and_ends_at_them_and_turns_halfway_between():
    eyes = torch.tensor([[3.0, 0, 0], [0.0, 3.0, 0]])
    two = tiny.cameras(look_at(eyes, torch.zeros(3), UP))
    three = resampled(two, 3)
    torch.testing.assert_close(three.poses[[0, 2]], two.poses)
    torch.testing.assert_close(three.poses[1, :, 3], torch.tensor([1.5, 1.5, 0]))
    # Half of a quarter turn: the nearest rotation to the blend looks along the diagonal.
    torch.testing.assert_close(three.poses[1, :, 2], torch.tensor([1.0, 1, 0]) / math.sqrt(2))
    assert_rigid(resampled(ring(), 31).poses)
    assert resampled(two, 2) is two


@pytest.mark.parametrize(
    "moved",
    [
        pytest.param(lambda p: torch.cat([p[:, :, :3], 2 * p[:, :, 3:]], 2), id="farther away"),
        pytest.param(lambda p: torch.cat([p[:, :, :3], 0.5 * p[:, :, 3:]], 2), id="nearer"),
        pytest.param(lambda p: look_at(p[:, :, 3], 2 * p[:, :, 3], UP), id="looking away"),
        pytest.param(
            lambda p: look_at(p[:, :, 3] * torch.tensor([1, 1, -1.0]), torch.zeros(3), UP), id="from below"
        ),
    ],
)
def test_cameras_beyond_the_known_ones_are_told_apart(moved):
    known = ring(low=0.3)
    assert not beyond(known, known, forward_facing=False).any()
    assert beyond(known, tiny.cameras(moved(known.poses)), forward_facing=False).all()


def test_cameras_beside_a_forward_facing_scene_are_told_apart():
    known = row()
    assert not beyond(known, known, forward_facing=True).any()
    aside = known.poses.clone()
    aside[:, 0, 3] += 3
    assert beyond(known, tiny.cameras(aside), forward_facing=True).all()
    turned = look_at(known.poses[:, :, 3], known.poses[:, :, 3] + torch.tensor([1.0, 0, 0]), UP)
    assert beyond(known, tiny.cameras(turned), forward_facing=True).all()


# -- sizes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 16), (32, 32), (32, 16), (10, 20), (7, 5)])
def test_another_size_sees_the_same_middle_and_no_more(size):
    known = ring(3)
    other = known.resized(*size)
    assert (other.height, other.width) == size
    inner, outer = (c.rays().directions @ c.poses[:, None, :, :3] for c in (other, known))
    # In camera space: x and y of the picture's corners, half a pixel further out than the corner pixels' centres.
    reach = [
        c[..., :2].abs().amax((0, 1, 2)) + 0.5 / s.intrinsics[0, 0] for c, s in ((inner, other), (outer, known))
    ]
    assert (reach[0] <= reach[1] + 1e-5).all()
    assert torch.isclose(reach[0], reach[1], atol=1e-5).any()  # along one side it sees all
    assert other.intrinsics[0, 0] == other.intrinsics[0, 1]
    assert other.intrinsics[0, 2:].tolist() == pytest.approx([size[1] / 2, size[0] / 2])


class Seeing(nfcore.Upsampler):
    """Shows a ray's direction, and keeps how finely it was asked."""

    def forward(self, features):
        self.asked.append(features.shape[-2:])
        return (features + 1) / 2


class Through(nfcore.Backbone):
    channels = 3

    def forward(self, features):
        return features


def exact(scale: int = 1) -> nfcore.LightField:
    """A student of the sky that shows every ray as it is, of 16x16 pixels."""
    upsampler = Seeing(Seeing.Options(), 3, scale)
    upsampler.asked = []
    parts = tiny.Directions(tiny.Directions.Options(), tiny.SCENE), Through(Through.Options(), 3), upsampler
    student = nfcore.LightField(*parts, scene=tiny.SCENE, cameras=ring(4))
    student.anchor = torch.nn.Parameter(torch.zeros(()))  # it has weights, as any student
    return student


def test_a_picture_of_any_size_shows_what_lies_behind_each_of_its_pixels():
    student = exact()
    for side in (16, 24, 32, 33, 48):
        cameras = student.cameras.resized(side, side)
        seen = render_at(student, cameras)
        torch.testing.assert_close(
            seen.permute(0, 2, 3, 1), tiny.sky(cameras.rays().directions), atol=1e-5, rtol=0
        )


def test_a_smaller_picture_is_the_mean_of_what_lies_behind_its_pixels():
    student = exact()
    cameras = student.cameras.resized(8, 8)
    fine = tiny.sky(cameras.resized(16, 16).rays().directions).permute(0, 3, 1, 2)
    torch.testing.assert_close(render_at(student, cameras), F.avg_pool2d(fine, 2), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("side", "rays"), [(4, 16), (8, 16), (12, 24), (16, 16), (20, 20), (32, 16), (40, 20), (48, 16)]
)
def test_a_student_is_asked_for_rays_as_it_learned_them_or_finer(side, rays):
    student = exact()
    render_at(student, student.cameras.resized(side, side))
    assert set(student.upsampler.asked) == {(rays, rays)}


def test_the_density_of_pixels_is_told_by_the_focus():
    student = exact()
    assert pixel_density(student, student.cameras.resized(40, 40)) == pytest.approx(2.5)
    window = student.cameras.cropped(torch.zeros(4), torch.zeros(4), 8, 8)
    assert pixel_density(student, window) == pytest.approx(
        1.0
    )  # a window of the same pixels is no smaller picture


def test_a_size_that_the_scale_does_not_divide_is_refused_with_those_that_would_fit():
    student = tiny.student(scale=4)
    with pytest.raises(UserError, match="16x16 or 20x20 would fit"):
        list(rendered(student, student.cameras.resized(18, 18)))
    (frame, *_) = rendered(student, student.cameras.resized(9, 9))  # smaller ones are means of larger ones
    assert frame.shape == (9, 9, 3)


# -- files -------------------------------------------------------------------------------------------


def gradient(n: int, height: int = 20, width: int = 30) -> list[torch.Tensor]:
    """Frames that grow from black to white."""
    return [torch.full((height, width, 3), i / (n - 1)) for i in range(n)]


@pytest.mark.parametrize("ending", ["mp4", "webm", "gif"])
def test_a_video_has_its_frames_in_their_order_size_and_speed(tmp_path, ending):
    path = tmp_path / f"v.{ending}"
    save_video(path, gradient(8), 12.5, enlarge=False)
    with av.open(path) as video:
        stream = video.streams.video[0]
        assert float(stream.average_rate) == pytest.approx(12.5, rel=0.01)
        levels = [frame.to_ndarray(format="rgb24").astype(float).mean() for frame in video.decode(stream)]
        assert (stream.height, stream.width) == (20, 30)
    assert levels == pytest.approx([255 * i / 7 for i in range(8)], abs=6)


def test_a_small_video_is_enlarged_and_odd_sides_lose_a_pixel(tmp_path):
    save_video(tmp_path / "large.mp4", gradient(2), 30)
    save_video(tmp_path / "odd.mp4", gradient(2, 21, 31), 30, enlarge=False)
    sizes = []
    for name in ("large", "odd"):
        with av.open(tmp_path / f"{name}.mp4") as video:
            sizes.append((video.streams.video[0].height, video.streams.video[0].width))
    assert sizes == [(400, 600), (20, 30)]


def test_a_video_that_fails_halfway_leaves_nothing(tmp_path):
    def failing():
        yield from gradient(3)
        raise OSError(28, "No space left on device")

    for name in ("v.mp4", "v.gif", "frames"):
        with pytest.raises(OSError, match="No space"):
            save_frames(tmp_path / name, failing(), ring(3), 30, enlarge=False)
    assert not list(tmp_path.iterdir())


def test_pictures_lie_beside_the_path_that_shows_them_again(tmp_path):
    student = tiny.student(side=16, scale=4)
    cameras = along("orbit", student.cameras, student.scene, 3)
    save_frames(tmp_path / "frames", rendered(student, cameras), cameras, 24, enlarge=True)
    read = read_path(tmp_path / "frames" / "cameras.json")
    again = torch.stack(list(rendered(student, read.cameras(student.cameras))))
    for index, frame in enumerate(again):
        picture = np.array(Image.open(tmp_path / "frames" / f"{index:04}.png"))
        assert picture.shape == (16, 16, 3)
        assert abs(picture - 255 * frame.numpy()).max() <= 0.5 + 1e-3
    assert read.fps == 24


def test_a_teacher_shows_any_size():
    cameras = along("orbit", ring(), tiny.SCENE, 2).resized(9, 13)
    frames = torch.stack(list(rendered(tiny.fitted_model(), cameras)))
    torch.testing.assert_close(frames, tiny.sky(cameras.rays().directions), atol=1e-5, rtol=0)


# -- depth -------------------------------------------------------------------------------------------


def test_the_range_of_colours_is_where_almost_all_depths_are():
    # The tiny teacher's depth is the camera's distance, 3 to 4 here, wherever the ball is seen.
    poses = tiny.REGION.poses(torch.zeros(5), torch.full((5,), 0.5), torch.linspace(3, 4, 5))
    near, far = depth_range(tiny.fitted_teacher(), tiny.cameras(poses))
    assert 3.0 - 1e-4 <= near < 3.1 and 3.9 < far <= 4.0 + 1e-4


def test_near_is_red_far_is_violet_and_nothing_is_background():
    depth = torch.tensor([[1.0, 2.0, 0.0]])
    seen = nfcore.Rendering(torch.zeros(1, 3, 3), torch.tensor([[1.0, 1.0, 0.0]]), depth)
    red, violet, nothing = coloured(seen, (1.0, 2.0), (0.25, 0.5, 0.75))[0]
    assert red[0] > 0.4 and red[2] < 0.1  # Turbo's ends, Mikhailov 2019: (0.48, 0.02, 0.01) and (0.19, 0.07, 0.23)
    assert violet[2] > violet[0] > violet[1]
    assert nothing.tolist() == [0.25, 0.5, 0.75]
