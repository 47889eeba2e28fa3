"""A fitted field (2400 steps) as a mesh: silhouettes and depths against the field, quality and bytes, by size."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.fields import Photos, fitted
from nfcore import Budget, FittedTeacher, plugins
from nfcore.evaluation import psnr

#: Photos' size, steps of the fit, and options of the exporter.
SIZE, STEPS = 200, 2400
OPTIONS: tuple[dict[str, int], ...] = (
    {},
    {"triangles": 20_000, "texture": 1024},
    {"triangles": 5_000, "texture": 1024},
)


def measure(scenes: str = "lego") -> list[dict[str, Any]]:
    """Return a row for each scene and set of options, over all test views; ``scenes`` separated by commas."""
    return [row for name in scenes.split(",") for row in _rows(name)]


def _rows(name: str) -> list[dict[str, Any]]:
    photos = Photos("blender", f"nerf_synthetic/{name}", SIZE)
    source = photos.source()
    train, test = source.views("train"), source.views("test")
    teacher = fitted(photos, source, Budget(STEPS))
    model = FittedTeacher(teacher, train.cameras[:: max(1, len(train) // 25)])
    return [{"scene": f"{name} {SIZE}", **options, **_row(model, test, options)} for options in OPTIONS]


def _row(model: FittedTeacher, test: Any, options: dict[str, int]) -> dict[str, Any]:
    from nfcore_mesh.agreement import agreement
    from nfcore_mesh.exporter import FILE
    from nfcore_mesh.glb import read_glb
    from nfcore_mesh.surface import Lattice

    exporter: Any = plugins().build("exporter", "nfcore-mesh/mesh", options)
    photos = test.images.permute(0, 3, 1, 2)
    with tempfile.TemporaryDirectory() as name:
        folder, began = Path(name), time.process_time()
        exporter.export(model, folder)
        seconds = time.process_time() - began
        data = (folder / FILE).read_bytes()
        shown = exporter.load(folder).render(test.cameras.poses, test.cameras.intrinsics)
    textured, _, _ = read_glb(data, FILE)
    lattice = Lattice(model.scene, exporter.options.resolution, exporter.options.extent)
    found = agreement(textured.mesh, model, test.cameras, lattice)
    torch_images = model.render(test.cameras)
    return {
        "GLB, MB": round(len(data) / 1e6, 2),
        "silhouettes, IoU": round(found.silhouette_iou, 4),
        "depth, voxels": round(found.depth_error, 2),
        "photos, dB": round(float(psnr(shown, photos).mean()), 2),
        "field, dB": round(float(psnr(torch_images, photos).mean()), 2),
        "to the field, dB": round(float(psnr(shown, torch_images).mean()), 2),
        "export, CPU s": round(seconds, 1),
    }
