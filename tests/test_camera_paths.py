"""Camera paths: what is written is read back, nerfstudio's are brought home, and a wrong file gets one line."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from nfcore import Cameras, UserError
from nfcore.io.tensors import seeded
from nfcore.scene.camera_paths import CameraFrame, CameraPathFile, read_path, write_path

OWN = Cameras(torch.eye(4)[None, :3], torch.tensor([[50.0, 50, 16, 12]]), 24, 32)

SETTINGS = settings(deadline=None, max_examples=40)


def rotations(n: int, generator: torch.Generator) -> torch.Tensor:
    """Uniform rotations (n, 3, 3), from unit quaternions."""
    w, x, y, z = F.normalize(torch.randn(n, 4, generator=generator), dim=1).unbind(1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, 1).reshape(n, 3, 3)


def some_poses(n: int, seed: int) -> torch.Tensor:
    generator = seeded(seed)
    return torch.cat([rotations(n, generator), 3 * torch.randn(n, 3, 1, generator=generator)], 2)


def squared(poses: torch.Tensor) -> torch.Tensor:
    """(n, 4, 4) from (n, 3, 4)."""
    return torch.cat([poses, torch.tensor([0.0, 0, 0, 1]).expand(len(poses), 1, 4)], 1)


def nerfstudio(poses: torch.Tensor, **more: object) -> dict:
    frames = [{"camera_to_world": pose.flatten().tolist(), "fov": 60.0, "aspect": 2.0} for pose in squared(poses)]
    return {
        "camera_type": "perspective", "render_height": 100, "render_width": 200, "fps": 24, "seconds": 4.0,
        "keyframes": [], "is_cycle": False, "camera_path": frames,
    } | more  # fmt: skip


def saved(path, values) -> object:
    path.write_text(json.dumps(values))
    return path


def refused(path, *said: str) -> None:
    with pytest.raises(UserError) as error:
        read_path(path)
    lines = str(error.value).splitlines()
    assert 1 <= len(lines) <= 2
    assert max(map(len, lines)) < 500
    assert str(path) in lines[0]
    for part in said:
        assert part in str(error.value)


# -- nfcore's own form -------------------------------------------------------------------------------


@SETTINGS
@given(n=st.integers(1, 5), seed=st.integers(0, 10**6), fps=st.floats(1, 120), height=st.integers(1, 4000))
def test_what_is_written_is_read_back(tmp_path_factory, n, seed, fps, height):
    intrinsics = 10 + 100 * torch.rand(n, 4, generator=seeded(seed))
    cameras = Cameras(some_poses(n, seed), intrinsics, height, 30)
    path = tmp_path_factory.mktemp("path") / "cameras.json"
    write_path(path, cameras, fps)
    read = read_path(path)
    back = read.cameras(OWN)
    torch.testing.assert_close(back.poses, cameras.poses)
    torch.testing.assert_close(back.intrinsics, cameras.intrinsics)
    assert (back.height, back.width, read.fps) == (height, 30, fps)


def test_a_path_of_poses_alone_takes_size_and_focus_from_the_student(tmp_path):
    poses = some_poses(3, 1)
    back = read_path(saved(tmp_path / "p.json", {"frames": [{"pose": pose.tolist()} for pose in squared(poses)]}))
    cameras = back.cameras(OWN)
    torch.testing.assert_close(cameras.poses, poses)
    assert (cameras.height, cameras.width) == (24, 32)
    assert cameras.intrinsics.tolist() == OWN.intrinsics.expand(3, -1).tolist()


def test_a_path_with_a_size_alone_scales_the_students_focus(tmp_path):
    values = {"height": 48, "width": 64, "frames": [{"pose": torch.eye(4)[:3].tolist()}]}
    cameras = read_path(saved(tmp_path / "p.json", values)).cameras(OWN)
    assert cameras.intrinsics.tolist() == [[100.0, 100.0, 32.0, 24.0]]


def test_frames_have_their_own_focus_or_the_paths(tmp_path):
    pose = torch.eye(4)[:3].tolist()
    frames = [{"pose": pose}, {"pose": pose, "intrinsics": [1.0, 2, 3, 4]}]
    values = {"height": 8, "width": 8, "intrinsics": [5.0, 6, 7, 8], "frames": frames}
    cameras = read_path(saved(tmp_path / "p.json", values)).cameras(OWN)
    assert cameras.intrinsics.tolist() == [[5, 6, 7, 8], [1, 2, 3, 4]]
    del values["intrinsics"]
    refused(saved(tmp_path / "p.json", values), "frame 0 has no intrinsics")


PAGE = Path(__file__).parents[1] / "docs" / "rendering.md"


def test_the_documented_example_can_be_rendered_and_every_key_is_explained(tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    (example,) = re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    cameras = read_path(saved(tmp_path / "p.json", json.loads(example))).cameras(OWN)
    assert (len(cameras), cameras.height, cameras.width) == (2, 300, 400)
    rows = " ".join(line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
    for model in (CameraPathFile, CameraFrame):
        for key, field in model.model_fields.items():
            assert field.description
            assert f"`{key}`" in rows


# -- nerfstudio's ------------------------------------------------------------------------------------


@pytest.mark.parametrize("nested", [False, True])
def test_a_nerfstudio_path_has_a_vertical_field_of_view_in_degrees(tmp_path, nested):
    poses = some_poses(3, 2)
    values = nerfstudio(poses)
    if nested:  # some tools write four rows
        for frame, pose in zip(values["camera_path"], squared(poses), strict=True):
            frame["camera_to_world"] = pose.tolist()
    read = read_path(saved(tmp_path / "n.json", values))
    cameras = read.cameras(OWN)
    torch.testing.assert_close(cameras.poses, poses)
    focal = 50 / math.tan(math.radians(30))
    torch.testing.assert_close(cameras.intrinsics, torch.tensor([[focal, focal, 100.0, 50.0]]).expand(3, -1))
    assert (cameras.height, cameras.width, read.fps) == (100, 200, 24)


@SETTINGS
@given(seed=st.integers(0, 10**6), scale=st.floats(0.05, 20))
def test_a_nerfstudio_path_comes_back_into_the_data_sets_world(tmp_path_factory, seed, scale):
    """nerfstudio's dataparser turns, shifts and then scales: x' = scale (R x + t); its poses turn by R alone."""
    folder = tmp_path_factory.mktemp("world")
    data, move = some_poses(4, seed), some_poses(1, seed + 1)[0]
    inside = torch.cat(
        [move[:, :3] @ data[:, :, :3], scale * (data[:, :, 3] @ move[:, :3].T + move[:, 3])[..., None]], 2
    )
    world = saved(folder / "dataparser_transforms.json", {"transform": move.tolist(), "scale": scale})
    path = saved(folder / "n.json", nerfstudio(inside))
    torch.testing.assert_close(read_path(path, [world]).poses, data, atol=2e-4, rtol=1e-4)

    # ns-process-data had turned COLMAP's world before: transforms.json says how, and its world is the photos'.
    applied = some_poses(1, seed + 2)[0]
    scene = saved(folder / "transforms.json", {"applied_transform": applied.tolist(), "frames": []})
    there = torch.cat(
        [applied[:, :3] @ data[:, :, :3], (data[:, :, 3] @ applied[:, :3].T + applied[:, 3])[..., None]], 2
    )
    torch.testing.assert_close(read_path(path, [world, scene]).poses, there, atol=2e-4, rtol=1e-4)


def test_a_world_for_a_path_that_needs_none_is_refused(tmp_path):
    path = saved(tmp_path / "p.json", {"frames": [{"pose": torch.eye(4)[:3].tolist()}]})
    with pytest.raises(UserError, match="nerfstudio path"):
        read_path(path, [path])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"frames": []}, "neither a dataparser_transforms.json"),
        ({"transform": [[2.0, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]], "scale": 1.0}, "no rotation"),
        ({"transform": torch.eye(4)[:3].tolist()}, "'scale' is missing"),
        ({"applied_transform": torch.eye(4)[:3].tolist(), "applied_scale": 2.0}, "applied_scale"),
    ],
)
def test_a_world_that_is_none_is_refused(tmp_path, values, said):
    path = saved(tmp_path / "n.json", nerfstudio(some_poses(1, 3)))
    with pytest.raises(UserError, match=said) as error:
        read_path(path, [saved(tmp_path / "world.json", values)])
    assert "world.json" in str(error.value)


def test_a_fisheye_path_is_refused_by_name(tmp_path):
    refused(saved(tmp_path / "n.json", nerfstudio(some_poses(1, 0), camera_type="fisheye")), "'fisheye'")


# -- what is wrong -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (torch.diag(torch.tensor([2.0, 2, 2, 1])), "no rotation"),
        (torch.diag(torch.tensor([1.0, -1, 1, 1])), "mirror"),
        (torch.eye(4) + 0.3 * torch.ones(4, 4).triu(1), "rotation"),
        (torch.zeros(4, 4), "0, 0, 0, 1"),
    ],
)
def test_a_matrix_that_is_no_pose_is_refused_with_its_frame(tmp_path, matrix, said):
    good = torch.eye(4)
    own = {"frames": [{"pose": good.tolist()}, {"pose": matrix.tolist()}]}
    refused(saved(tmp_path / "own.json", own), "frames.1.pose", said)
    other = nerfstudio(torch.stack([good[:3], matrix[:3]]))
    other["camera_path"][1]["camera_to_world"] = matrix.flatten().tolist()
    refused(saved(tmp_path / "other.json", other), "camera_path.1.camera_to_world", said)


def test_a_matrix_written_column_by_column_is_refused(tmp_path):
    values = nerfstudio(some_poses(2, 5))
    values["camera_path"][1]["camera_to_world"] = squared(some_poses(2, 5))[1].T.flatten().tolist()
    refused(saved(tmp_path / "n.json", values), "row by row")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"frames": []}, "frames"),
        ({}, "'frames' is missing"),
        ([], "JSON object"),
        ({"frames": [{"pose": [[1, 0, 0, 0]] * 2}]}, "pose"),
        ({"frames": [{"pose": torch.eye(4)[:3].tolist(), "fov": 50}]}, "unknown option 'frames.0.fov'"),
        ({"height": 4, "frames": [{"pose": torch.eye(4)[:3].tolist()}]}, "height and width"),
        ({"frames": [{"pose": torch.eye(4)[:3].tolist(), "intrinsics": [1.0, 1, 1, 1]}]}, "height and width"),
        ({"frames": [{"pose": torch.eye(4)[:3].tolist()}], "fps": 0}, "fps"),
        ({"frames": [{"pose": [[1, 0, 0, 1e39], [0, 1, 0, 0], [0, 0, 1, 0]]}]}, "less than or equal to"),
        (
            {
                "height": 4,
                "width": 4,
                "intrinsics": [1e-9, 1.0, 1.0, 1.0],
                "frames": [{"pose": torch.eye(4)[:3].tolist()}],
            },
            "focal",
        ),
        ({"height": 10**8, "width": 10**8, "frames": [{"pose": torch.eye(4)[:3].tolist()}]}, "16384"),
        ({"frames": [{"pose": [[float("nan"), 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]}]}, "finite"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(tmp_path, values, said):
    refused(saved(tmp_path / "p.json", values), said)


def test_a_missing_file_names_the_paths_that_need_none(tmp_path):
    refused(tmp_path / "spiral.json", "no such file", "orbit, spiral, test, reference")
    refused(tmp_path, "is a folder")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["frames", "pose", "camera_path", "fov", "camera_to_world", "height"]), inner
        )
    ),
    max_leaves=12,
)


@SETTINGS
@given(values=JSON)
def test_any_json_is_a_path_or_one_line(tmp_path_factory, values):
    path = saved(tmp_path_factory.mktemp("any") / "p.json", values)
    try:
        read_path(path)
    except UserError as error:
        assert len(str(error).splitlines()) <= 2


@SETTINGS
@given(data=st.binary(max_size=40) | st.text(alphabet='{}[]":,0123456789.eframspo ', max_size=60).map(str.encode))
def test_any_bytes_are_a_path_or_one_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "p.json"
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        read_path(path)
    assert len(str(error.value).splitlines()) <= 2
