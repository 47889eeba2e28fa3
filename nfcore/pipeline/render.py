"""Render: images and videos of a student or a teacher along a camera path."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal, TypeGuard, get_args

from torch import Tensor

from nfcore.geometry.forward_region import ForwardRegion, focus_depth
from nfcore.geometry.interpolation import resampled
from nfcore.geometry.orbits import spiral, tour
from nfcore.interfaces import SceneModel, Views
from nfcore.interfaces.reporting import Reporter
from nfcore.io.atomic import atomic_path
from nfcore.io.images import save_png, side_by_side
from nfcore.io.videos import ENDINGS, save_sequence, save_video
from nfcore.scene.bounds import Scene
from nfcore.scene.camera_paths import write_path
from nfcore.scene.cameras import Cameras
from nfcore.student.light_field import LightField
from nfcore.student.resampling import check_size, render_at

#: Camera paths that need no file: around the scene, up and down around it, through given cameras.
PathName = Literal["orbit", "spiral", "test", "reference"]
ORBIT_FRAMES = 120
# Longer side, in pixels, of the view that a teacher's speed is measured with.
_PROBE_SIDE = 100
# Frames that a student renders at once at its own size; fewer if they are larger.
_BATCH = 4


def comparison(models: Iterable[SceneModel], views: Views, index: int) -> Tensor:
    """Return the models' images and the photo side by side, (h, n * w, 3), for one of the ``views``."""
    images = [model.render(views.cameras[index])[0].permute(1, 2, 0) for model in models]
    return side_by_side([*images, views.images[index]])


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
        poses = region.loop(n) if name == "orbit" else region.spiral(n, focus_depth(scene))
    else:
        poses = tour(known, n) if name == "orbit" else spiral(known, n)
    return Cameras(poses, known.intrinsics[:1].expand(n, -1), known.height, known.width)


def is_path_name(name: str) -> TypeGuard[PathName]:
    """Return whether ``name`` is a path that needs no file."""
    return name in get_args(PathName)


def save_orbit(
    model: SceneModel, path: Path, *, most_seconds: float = 60.0, reporter: Reporter | None = None
) -> None:
    """Write an orbit video of ``model`` to ``path`` (MP4), as large as its reference cameras.

    That of a teacher is so much smaller that it takes about ``most_seconds`` at most.
    """
    reporter = reporter or Reporter()
    cameras = along("orbit", model.cameras.to("cpu"), model.scene)
    if model.kind == "teacher":
        cameras = _affordable(model, cameras, most_seconds, reporter)
    save_video(path, rendered(model, cameras, reporter))


def _affordable(model: SceneModel, cameras: Cameras, most_seconds: float, reporter: Reporter) -> Cameras:
    """Return ``cameras``, smaller if rendering them would take longer than ``most_seconds``."""
    probe = cameras[0].resized(*_even(cameras, min(1.0, _PROBE_SIDE / max(cameras.height, cameras.width))))
    model.render(probe)  # the first view may compile
    began = time.monotonic()
    model.render(probe)
    seconds = (time.monotonic() - began) * len(cameras) / (probe.height * probe.width)
    factor = math.sqrt(most_seconds / (seconds * cameras.height * cameras.width))
    if factor >= 1:
        return cameras
    smaller = cameras.resized(*_even(cameras, factor))
    reporter.note(
        f"render: the orbit is {smaller.width}x{smaller.height}, not {cameras.width}x{cameras.height}, to take "
        f"about {most_seconds:.0f} s: 'nfcore render RUN' with --size renders it at any size"
    )
    return smaller


def _even(cameras: Cameras, factor: float) -> tuple[int, int]:
    """Return height and width times ``factor``, even, as videos have them."""
    return max(2, 2 * round(factor * cameras.height / 2)), max(2, 2 * round(factor * cameras.width / 2))


def rendered(model: SceneModel, cameras: Cameras, reporter: Reporter | None = None) -> Iterator[Tensor]:
    """Return the model's image of each of ``cameras``, (h, w, 3) in [0, 1].

    Raises:
        UserError: a student's scale does not divide the size; names sizes that fit.

    """
    reporter = reporter or Reporter()
    if not isinstance(model, LightField):
        return _in_batches(model.render, cameras, 1, reporter)
    check_size(model, cameras)  # before any frame is rendered or a file is created
    own = model.cameras.height * model.cameras.width
    batch = max(1, min(_BATCH, _BATCH * own // (cameras.height * cameras.width)))
    return _in_batches(partial(render_at, model), cameras, batch, reporter)


def _in_batches(
    render: Callable[[Cameras], Tensor], cameras: Cameras, batch: int, reporter: Reporter
) -> Iterator[Tensor]:
    reporter.start(len(cameras), "frame")
    for start in range(0, len(cameras), batch):
        yield from render(cameras[start : start + batch]).permute(0, 2, 3, 1)
        reporter.step(min(start + batch, len(cameras)))


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


def save_view(model: SceneModel, path: Path, index: int = 0) -> None:
    """Write the model's image at one of its reference cameras to ``path`` (PNG), at its own size."""
    save_png(path, model.render(model.cameras[index])[0].permute(1, 2, 0))
