"""Render: images and videos of student and teacher along a camera path."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeGuard, get_args

from torch import Tensor

from nfcore.geometry.forward_region import ForwardRegion
from nfcore.geometry.interpolation import resampled
from nfcore.geometry.orbits import spiral, tour
from nfcore.interfaces import Teacher, Views
from nfcore.interfaces.reporting import Reporter
from nfcore.io.atomic import atomic_path
from nfcore.io.images import save_png, side_by_side
from nfcore.io.videos import ENDINGS, save_sequence, save_video
from nfcore.scene.bounds import Scene
from nfcore.scene.camera_paths import write_path
from nfcore.scene.cameras import Cameras
from nfcore.student.light_field import LightField
from nfcore.student.resampling import check_size, render_at
from nfcore.views.teacher_views import render_view

#: Camera paths that need no file: around the scene, up and down around it, through given cameras.
PathName = Literal["orbit", "spiral", "test", "reference"]
ORBIT_FRAMES = 120
# Longer side, in pixels, of the view that a teacher's speed is measured with.
_PROBE_SIDE = 100
# Frames that a student renders at once at its own size; fewer if they are larger.
_BATCH = 4


def comparison(student: LightField | None, teacher: Teacher, views: Views, index: int) -> Tensor:
    """Return student, if any, teacher and photo side by side, (h, 3w or 2w, 3), for one of the ``views``."""
    camera = views.cameras[index]
    images = [] if student is None else [student.render(camera)[0].permute(1, 2, 0)]
    return side_by_side([*images, render_view(teacher, camera).rgb, views.images[index]])


def along(name: PathName, known: Cameras, scene: Scene, frames: int | None = None) -> Cameras:
    """Return the cameras of the path ``name``, with the first intrinsics and the size of ``known``.

    Args:
        name: ``orbit``, a loop near the cameras, around the scene or in front of it; ``spiral``, a loop that also
            rises and falls, or moves forward; ``test`` and ``reference``, the ``known`` cameras themselves.
        known: cameras of one scene.
        scene: its bounds.
        frames: number of cameras; by default 120, or all of the known ones.

    """
    if name in ("test", "reference"):
        return known if frames is None else resampled(known, frames)
    n = frames or ORBIT_FRAMES
    if scene.forward_facing:
        region = ForwardRegion.around(known)
        # NeRF looks at the point at 3 to 1 between the nearest and the farthest disparity.
        focus = 1 / (0.25 / scene.near + 0.75 / scene.far)
        poses = region.loop(n) if name == "orbit" else region.spiral(n, focus)
    else:
        poses = tour(known, n) if name == "orbit" else spiral(known, n)
    return Cameras(poses, known.intrinsics[:1].expand(n, -1), known.height, known.width)


def is_path_name(name: str) -> TypeGuard[PathName]:
    """Return whether ``name`` is a path that needs no file."""
    return name in get_args(PathName)


def save_orbit(student: LightField, path: Path, reporter: Reporter | None = None) -> None:
    """Write an orbit video of ``student`` to ``path`` (MP4)."""
    cameras = along("orbit", student.cameras.to("cpu"), student.scene)
    save_video(path, student_frames(student, cameras, reporter))


def save_teacher_orbit(
    teacher: Teacher, known: Cameras, path: Path, *, most_seconds: float = 60.0, reporter: Reporter | None = None
) -> None:
    """Write an orbit video of ``teacher`` along the ``known`` cameras to ``path`` (MP4).

    It is as large as they are, or so much smaller that it takes about ``most_seconds`` at most.
    """
    cameras = along("orbit", known, teacher.scene)
    probe = cameras[0].resized(*_even(cameras, min(1.0, _PROBE_SIDE / max(cameras.height, cameras.width))))
    render_view(teacher, probe)  # the first view may compile
    began = time.monotonic()
    render_view(teacher, probe)
    seconds = (time.monotonic() - began) * len(cameras) / (probe.height * probe.width)
    factor = math.sqrt(most_seconds / (seconds * cameras.height * cameras.width))
    if factor < 1:
        height, width = cameras.height, cameras.width
        cameras = cameras.resized(*_even(cameras, factor))
        if reporter is not None:
            reporter.note(
                f"render: the orbit is {cameras.width}x{cameras.height}, not {width}x{height}, to take about "
                f"{most_seconds:.0f} s: 'nfcore render RUN' with --size renders it at any size"
            )
    save_video(path, teacher_frames(teacher, cameras, reporter))


def _even(cameras: Cameras, factor: float) -> tuple[int, int]:
    """Return height and width times ``factor``, even, as videos have them."""
    return max(2, 2 * round(factor * cameras.height / 2)), max(2, 2 * round(factor * cameras.width / 2))


def student_frames(student: LightField, cameras: Cameras, reporter: Reporter | None = None) -> Iterator[Tensor]:
    """Return the student's image of each of ``cameras``, (h, w, 3) in [0, 1].

    Raises:
        UserError: the student's scale does not divide the size; names sizes that fit.

    """
    check_size(student, cameras)  # before any frame is rendered or a file is created
    return _student_frames(student, cameras, reporter or Reporter())


def _student_frames(student: LightField, cameras: Cameras, reporter: Reporter) -> Iterator[Tensor]:
    own = student.cameras.height * student.cameras.width
    batch = max(1, min(_BATCH, _BATCH * own // (cameras.height * cameras.width)))
    reporter.start(len(cameras), "frame")
    for start in range(0, len(cameras), batch):
        yield from render_at(student, cameras[start : start + batch]).permute(0, 2, 3, 1)
        reporter.step(min(start + batch, len(cameras)))


def teacher_frames(teacher: Teacher, cameras: Cameras, reporter: Reporter | None = None) -> Iterator[Tensor]:
    """Yield the teacher's image of each of ``cameras``, (h, w, 3) in [0, 1], of any size."""
    reporter = reporter or Reporter()
    reporter.start(len(cameras), "frame")
    for index in range(len(cameras)):
        yield render_view(teacher, cameras[index]).rgb.cpu()
        reporter.step(index + 1)


def save_frames(path: Path, frames: Iterable[Tensor], cameras: Cameras, fps: float, *, enlarge: bool) -> None:
    """Write frames (h, w, 3) as a video, or as a folder of PNG files if ``path`` has no video's ending.

    Atomically. The folder also has the cameras, in ``cameras.json``, as a path that can be rendered again.
    ``enlarge`` repeats the pixels of small videos.
    """
    if path.suffix in ENDINGS:
        save_video(path, frames, fps, enlarge=enlarge)
        return
    with atomic_path(path) as folder:
        save_sequence(folder, frames)
        write_path(folder / "cameras.json", cameras, fps)


def save_view(student: LightField, path: Path, index: int = 0) -> None:
    """Write the student's image at one of its reference cameras to ``path`` (PNG), at its own size."""
    save_png(path, student.render(student.cameras[index])[0].permute(1, 2, 0))
