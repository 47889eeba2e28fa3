"""SNeRG (3600 steps): the official files against the float voxels and a field of as many steps."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.data import scene
from benchmarks.earlier import earlier
from nfcore import Budget, FittedTeacher, RaySource, Reporter, Teacher, Views, plugins

#: Photos' size, and steps of each fit.
SIZE, STEPS = 200, 3600
#: By name: teacher and options.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "field of the same steps, alone": ("nfcore-teachers/deferred", {"values": 7}),
    "float voxels, rounded down by the export": ("nfcore-snerg/snerg", {"finetune_share": 0.0}),
    "rounded voxels, network fine-tuned": ("nfcore-snerg/snerg", {}),
    "the same, finer": ("nfcore-snerg/snerg", {"refinement": 1.75}),
}


def measure(only: str = "") -> list[dict[str, Any]]:
    """Return a row for each fit; only those with ``only`` in their names are measured again."""
    import torch

    torch.set_num_threads(2)
    source = plugins().build("ray_source", "nfcore-scenes/blender", {"path": str(scene())}, SIZE)
    before = earlier("snerg", "fit")
    again = {only} if only in CASES else {name for name in CASES if only in name}
    rows = {name: _row(name, *case, source) if name in again else before.get(name) for name, case in CASES.items()}
    return [row for row in rows.values() if row]


def _row(name: str, teacher: str, options: dict[str, Any], source: RaySource) -> dict[str, Any]:
    fitted = plugins().build("teacher", teacher, options, source.scene)
    began, processor = time.monotonic(), time.process_time()
    fitted.fit(source, Budget(STEPS), Reporter())
    spent = {"fit, s": round(time.monotonic() - began), "CPU s": round(time.process_time() - processor)}
    return {"fit": name, **spent, **_quality(fitted.eval(), source.views("test"))}


def _quality(teacher: Teacher, views: Views) -> dict[str, Any]:
    import torch

    model, photos = FittedTeacher(teacher, views.cameras), [image.permute(2, 0, 1) for image in views.images]
    images = model.render(views.cameras)
    row: dict[str, Any] = {"teacher, dB": _mean_psnr(images, photos)}
    if not hasattr(teacher, "voxels"):
        return row
    exporter = plugins().build("exporter", "nfcore-snerg/snerg", {})
    with tempfile.TemporaryDirectory() as folder:
        described = exporter.export(model, Path(folder))
        runner = exporter.load(Path(folder))
        cameras = views.cameras
        shown = torch.cat([runner.render(camera.poses, camera.intrinsics) for camera in cameras])
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    to_torch = [_psnr(a, b) for a, b in zip(shown, images, strict=True)]
    return row | {
        "files, dB": _mean_psnr(shown, photos),
        "files to teacher, least dB": round(min(to_torch), 1),
        "files, MB": round(size / 1e6, 2),
        "voxels": described.report["voxels"],
        "resolution": described.report["resolution"],
    }


def _mean_psnr(images: Any, photos: Any) -> float:
    return round(sum(map(_psnr, images, photos)) / len(photos), 2)


def _psnr(a: Any, b: Any) -> float:
    return float(-10 * (a - b).square().mean().log10())
