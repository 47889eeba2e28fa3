"""The teacher's depth: as colours for people, in scene units for scripts."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nfcore.interfaces import Rendering, Teacher
from nfcore.interfaces.reporting import Reporter
from nfcore.io.atomic import atomic_path, write_atomic
from nfcore.scene.bounds import Scene
from nfcore.scene.camera_paths import write_path
from nfcore.scene.cameras import Cameras
from nfcore.views.teacher_views import render_view

# Views, and the longer side of each in pixels, for estimating the range of the colours.
_PROBES, _PROBE_SIDE = 8, 64
# Opacity from which a depth is meaningful: below, most of the ray's colour is background.
_OPAQUE = 0.5
# 16-bit steps up to the scene's far bound; depths beyond it share the rest of 65535.
_STEPS_TO_FAR = 50_000


def depth_views(teacher: Teacher, cameras: Cameras, reporter: Reporter | None = None) -> Iterator[Rendering]:
    """Yield the teacher's rendering of each of ``cameras``, all (h, w); depth in scene units along the axis."""
    reporter = reporter or Reporter()
    reporter.start(len(cameras), "frame")
    for done, camera in enumerate(cameras, 1):
        seen = render_view(teacher, camera)
        yield Rendering(seen.rgb.cpu(), seen.opacity.cpu(), seen.depth.cpu())
        reporter.step(done)


def depth_range(teacher: Teacher, cameras: Cameras) -> tuple[float, float]:
    """Return the depths, scene units, that contain almost everything opaque along the path.

    The 1st and the 99th percentile over a few small views; the scene's bounds if nothing is opaque.
    """
    chosen = torch.linspace(0, len(cameras) - 1, min(_PROBES, len(cameras))).round().long()
    seen = [render_view(teacher, camera) for camera in cameras[chosen].shrunk(_PROBE_SIDE)]
    depths = torch.cat([view.depth[view.opacity > _OPAQUE].cpu() for view in seen])
    if not len(depths):
        return teacher.scene.near, teacher.scene.far
    near, far = depths.quantile(torch.tensor([0.01, 0.99])).tolist()
    return near, max(far, near * 1.01)


def coloured(seen: Rendering, bounds: tuple[float, float], background: tuple[float, float, float]) -> Tensor:
    """Return depth as colours (h, w, 3): the Turbo map from red at the near bound to violet at the far one.

    Linear in depth, composited over the ``background`` by opacity.
    """
    from matplotlib import colormaps

    near, far = bounds
    share = ((far - seen.depth) / (far - near)).clamp(0, 1)
    colours = torch.from_numpy(colormaps["turbo"](share.numpy())[..., :3]).float()
    opacity = seen.opacity[..., None]
    return opacity * colours + (1 - opacity) * torch.tensor(background)


def save_depth_pictures(
    folder: Path, views: Iterable[Rendering], cameras: Cameras, fps: float, scene: Scene
) -> None:
    """Write depths as 16-bit PNG (``0000.png``, ...), with ``cameras.json``, into a new ``folder``, atomically.

    A value times ``depth_unit`` of ``cameras.json`` is the depth in scene units; 0 where nothing is opaque, 65535
    where it is larger than the format can hold.
    """
    unit = scene.far / _STEPS_TO_FAR
    with atomic_path(folder) as temporary:
        temporary.mkdir(parents=True)
        for index, seen in enumerate(views):
            steps = (_metric(seen) / unit).round().clamp(0, 65535).numpy().astype(np.uint16)
            buffer = io.BytesIO()
            Image.fromarray(steps).save(buffer, "png")
            write_atomic(temporary / f"{index:04}.png", buffer.getvalue())
        write_path(temporary / "cameras.json", cameras, fps, unit)


def save_depth_array(folder: Path, views: Iterable[Rendering], cameras: Cameras, fps: float) -> None:
    """Write depths as ``depth.npy``, (n, h, w) float32 scene units, into ``folder``, with ``cameras.json``.

    Atomically; 0 where nothing is opaque.
    """
    with atomic_path(folder) as temporary:
        temporary.mkdir(parents=True)
        shape = (len(cameras), cameras.height, cameras.width)
        header = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": shape}
        with (temporary / "depth.npy").open("wb") as file:  # on a full disk, a mapping would kill the process
            np.lib.format.write_array_header_1_0(file, header)
            for seen in views:
                file.write(_metric(seen).contiguous().numpy().data)
        write_path(temporary / "cameras.json", cameras, fps)


def _metric(seen: Rendering) -> Tensor:
    return torch.where(seen.opacity > _OPAQUE, seen.depth, 0.0)
