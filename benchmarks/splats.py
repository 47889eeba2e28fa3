"""A fitted field (2400 steps) as 3D Gaussians (MB: SPZ), next to a baked page and a student: quality, bytes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.data import LEGO
from benchmarks.earlier import earlier
from benchmarks.fields import Photos, fitted
from nfcore import Budget, FittedTeacher, Views, plugins
from nfcore.evaluation import psnr

#: Photos, steps of the fit, and options of the exporter.
PHOTOS, STEPS = Photos("blender", LEGO, 200), 2400
OPTIONS: tuple[dict[str, int], ...] = (
    {"splats": 50_000, "degree": 2},
    {"splats": 20_000, "degree": 1},
    {"splats": 10_000, "degree": 0},
)
#: Rows of other benchmarks to compare with: benchmark, column and value that tell the row, its bytes and quality.
OTHERS = (
    ("baked_curve", "page", "lego 200, 7 values, psnr 60", "page, MB", "photos, dB"),
    ("baked_curve", "page", "lego 200, 7 values, psnr 44", "page, MB", "photos, dB"),
    ("scenes", "run", "guided lego-200", "Core ML MB", "student PSNR"),
)


def measure(only: str = "") -> list[dict[str, Any]]:
    """Return a row for each set of options, over all test views, and those of other benchmarks.

    Only rows with ``only`` in their names are measured again.
    """
    rows = earlier("splats", "form")
    names = {", ".join(f"{key} {value}" for key, value in options.items()): options for options in OPTIONS}
    for name, options in names.items():
        if only in name:
            rows[name] = {"form": name, **_row(options)}
    return [*(rows[name] for name in names if name in rows), *_others()]


def _row(options: dict[str, int]) -> dict[str, Any]:
    source = PHOTOS.source()
    test = source.views("test")
    model = FittedTeacher(fitted(PHOTOS, source, Budget(STEPS)), test.cameras)
    exporter: Any = plugins().build("exporter", "nfcore-splats/splats", options)
    with tempfile.TemporaryDirectory() as name:
        folder, began = Path(name), time.process_time()
        report = exporter.export(model, folder).report
        seconds = time.process_time() - began
        shown = exporter.load(folder).render(test.cameras.poses, test.cameras.intrinsics)
    return {
        "in the file": report["splats"],
        "PLY, MB": round(report["PLY, bytes"] / 1e6, 2),
        "MB": round(report["SPZ, bytes"] / 1e6, 2),
        **_quality(model, shown, test),
        "SPZ to the field, dB": report["SPZ, dB to the teacher"],
        "export, CPU s": round(seconds, 1),
        "from": "splats",
    }


def _quality(model: FittedTeacher, shown: Any, test: Views) -> dict[str, float]:
    photos, field = test.images.permute(0, 3, 1, 2), model.render(test.cameras)
    return {
        "photos, dB": round(float(psnr(shown, photos).mean()), 2),
        "field, dB": round(float(psnr(field, photos).mean()), 2),
        "to the field, dB": round(float(psnr(shown, field).mean()), 2),
    }


def _others() -> Iterator[dict[str, Any]]:
    for benchmark, column, name, size, quality in OTHERS:
        row = earlier(benchmark, column).get(name)
        if row:
            yield {"form": name, "MB": row.get(size), "photos, dB": row[quality], "from": benchmark}
