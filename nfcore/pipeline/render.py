"""Render: pictures and an orbit of what was learned, for a person to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from nfcore.cameras import Cameras
from nfcore.forward_region import ForwardRegion
from nfcore.images import save_png, save_video, side_by_side
from nfcore.interfaces import Teacher, Views
from nfcore.light_field import LightField
from nfcore.orbits import tour
from nfcore.pipeline.views import render_view
from nfcore.reporting import Reporter


def comparison(student: LightField, teacher: Teacher, views: Views, index: int) -> Tensor:
    """Return student, teacher and truth side by side, (h, 3w, 3), at one of the ``views``."""
    camera = views.cameras[index]
    image = student.render(camera)[0].permute(1, 2, 0)
    return side_by_side([image, render_view(teacher, camera)[0], views.images[index]])


def orbit(student: LightField, frames: int) -> Cameras:
    """Return cameras on a loop where the student's reference cameras are: around the scene, or before it."""
    if student.scene.forward_facing:
        poses = ForwardRegion.around(student.cameras).loop(frames)
    else:
        poses = tour(student.cameras, frames)
    intrinsics = student.cameras.intrinsics[:1].expand(frames, -1)
    return Cameras(poses, intrinsics, student.cameras.height, student.cameras.width)


def save_orbit(student: LightField, path: Path, frames: int = 120, reporter: Reporter | None = None) -> None:
    """Write an orbit video of ``student`` to ``path`` (MP4)."""
    save_video(path, _rendered(student, orbit(student, frames), reporter or Reporter()))


def _rendered(student: LightField, cameras: Cameras, reporter: Reporter) -> Iterator[Tensor]:
    """Yield frames (h, w, 3)."""
    reporter.start(len(cameras), "frame")
    for start in range(0, len(cameras), 4):
        yield from student.render(cameras[start : start + 4]).permute(0, 2, 3, 1)
        reporter.step(min(start + 4, len(cameras)))


def save_view(student: LightField, path: Path, index: int = 0) -> None:
    """Write what ``student`` shows at one of its reference cameras to ``path`` (PNG), at its own size."""
    save_png(path, student.render(student.cameras[index])[0].permute(1, 2, 0))
