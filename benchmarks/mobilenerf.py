"""MobileNeRF on lego 200x200 by its recipe's steps, on the CPU: time, quality, bytes, how close its files are."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.baked import in_chromium, psnr
from benchmarks.data import scene
from nfcore import Budget, FittedTeacher, Reporter, Teacher, plugins

#: Photos' size, and the recipe's steps.
SIZE, STEPS = 200, 6000
_PAGE, _OFFICIAL = "nfcore-mobilenerf/mobilenerf-page", "nfcore-mobilenerf/mobilenerf"


def measure(file: str = "") -> list[dict[str, Any]]:
    """Return a row for each exporter; ``file`` names a fitted teacher's, which is then not fitted again."""
    import torch

    from nfcore.pipeline import load_teacher

    torch.set_num_threads(2)
    source = plugins().build("ray_source", "nfcore-scenes/blender", {"path": str(scene())}, SIZE)
    views = source.views("test")
    fitting: dict[str, Any] = {}
    if file:
        teacher = load_teacher(Path(file))
    else:
        teacher, fitting = _fitted(source)
    model = FittedTeacher(teacher, views.cameras)
    images = model.render(views.cameras)
    photos = [image.permute(2, 0, 1) for image in views.images]
    found = {
        "scene": f"lego {SIZE}",
        **fitting,
        "polygons": len(teacher.get_buffer("corners")),
        "photos, dB": round(sum(map(psnr, images, photos)) / len(photos), 2),
    }
    return [{"files": name, **found, **_exported(model, images, name)} for name in (_PAGE, _OFFICIAL)]


def _fitted(source: Any) -> tuple[Teacher, dict[str, Any]]:
    teacher = plugins().build("teacher", "nfcore-mobilenerf/mobilenerf", {}, source.scene)
    began, before = time.perf_counter(), _cpu_seconds()
    teacher.fit(source, Budget(STEPS), Reporter())
    spent = {"fit, s": round(time.perf_counter() - began), "fit, CPU s": round(_cpu_seconds() - before)}
    return teacher.eval(), spent


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _exported(model: FittedTeacher, images: Any, name: str) -> dict[str, Any]:
    import torch

    exporter, cameras = plugins().build("exporter", name, {}), model.cameras
    with tempfile.TemporaryDirectory() as folder:
        exporter.export(model, Path(folder))
        runner = exporter.load(Path(folder))
        shown = torch.cat([runner.render(camera.poses, camera.intrinsics) for camera in cameras])
        files = list(Path(folder).iterdir())
        row: dict[str, Any] = {
            "MB": round(sum(file.stat().st_size for file in files) / 1e6, 2),
            "to torch, least dB": round(min(map(psnr, shown, images)), 1),
        }
        if len(files) == 1:
            row |= in_chromium(files[0], cameras[0], images[:1], timed=False)
    return row
