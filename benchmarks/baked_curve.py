"""Baked fields as pages: bytes and quality by what is rounded and left out, and by the values of a vertex."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.codebook import quantised
from benchmarks.data import LEGO
from benchmarks.earlier import earlier
from benchmarks.fields import Photos, fitted
from nfcore import Budget, Cameras, FittedTeacher, Views, plugins


class Fit(NamedTuple):
    """A field: its photos, the budget of its fit, values of a vertex, and voxels if not those of the default."""

    photos: Photos
    budget: Budget
    values: int = 7
    resolution: int | None = None

    @property
    def options(self) -> dict[str, int]:
        """The teacher's options."""
        return {"values": self.values} | ({} if self.resolution is None else {"resolution": self.resolution})


_LEGO_200 = Fit(Photos("blender", LEGO, 200), Budget(1_000_000, seconds=40))
_LEGO_400 = Fit(Photos("blender", LEGO, 400), Budget(1_000_000, seconds=90))
_CHAIR_400 = Fit(Photos("blender", "nerf_synthetic/chair", 400), Budget(1_000_000, seconds=120))
_LEGO_800 = Fit(Photos("blender", LEGO, 800), Budget(1_000_000, seconds=300))
#: Fields and settings of the exporter: all bits, then less and less quality; what leaving cells out saves; values.
CASES: tuple[tuple[Fit, dict[str, float | None]], ...] = (
    *((_LEGO_200, {"psnr": psnr}) for psnr in (None, 60.0, 55.0, 50.0, 44.0)),
    (_LEGO_200, {"psnr": 60.0, "prune": 0.003}),
    *((_LEGO_200._replace(resolution=120), {"psnr": psnr}) for psnr in (None, 64.0, 60.0)),
    (_LEGO_200._replace(values=15), {"psnr": 60.0}),
    (_LEGO_400, {"psnr": 50.0}),
    (_CHAIR_400, {"psnr": 50.0}),
    *((_LEGO_800, {"psnr": psnr}) for psnr in (50.0, 44.0, 40.0)),
)
#: Entries of codebooks that are tried instead of coded differences, on the first field with all bits.
CODEBOOKS = (256, 4096, 32_768)
_WEBP_SIDE = 16_383


def measure(only: str = "") -> list[dict[str, Any]]:
    """Return a row for each field and setting; only those with ``only`` in their names are measured again."""
    rows = earlier("baked_curve", "page")
    for fit, options in CASES:
        name = _name(fit, options)
        if only in name:
            rows[name] = {"page": name, **_row(fit, options)}
    books = {_name(_LEGO_200, {"codebook": entries}): entries for entries in CODEBOOKS}
    for name, entries in books.items():
        if only in name:
            rows[name] = {"page": name, **_codebook_row(_LEGO_200, entries)}
    return [rows[name] for name in (*(_name(*case) for case in CASES), *books) if name in rows]


def _name(fit: Fit, options: dict[str, float | None]) -> str:
    settings = ", ".join(f"{key} {value:g}" if value else "all 8 bits" for key, value in options.items())
    voxels = f"{fit.resolution} voxels, " if fit.resolution else ""
    return f"{fit.photos.name}, {voxels}{fit.values} values, {settings}"


def _model(fit: Fit) -> tuple[FittedTeacher, Views]:
    """Return the fitted field and the test views."""
    source = fit.photos.source()
    teacher = fitted(fit.photos, source, fit.budget, **fit.options)
    return FittedTeacher(teacher, source.views("train").cameras), source.views("test")


def _row(fit: Fit, options: dict[str, float | None]) -> dict[str, Any]:
    model, views = _model(fit)
    exporter = plugins().build("exporter", "nfcore-webgl/webgl", options)
    with tempfile.TemporaryDirectory() as folder:
        report: Any = exporter.export(model, Path(folder)).report
        quality = _quality(model, exporter.load(Path(folder)).render, views)
        page = (Path(folder) / "baked_field.html").stat().st_size
        data = sum(path.stat().st_size for path in (Path(folder) / "field").glob("*.bin"))
        webp = _webp(Path(folder)) if options == {"psnr": 60.0} else None
    kept = report["least PSNR to the teacher in views like the reference views, dB"]
    return {
        "page, MB": round(page / 1e6, 2),
        "data, MB": round(data / 1e6, 2),
        "codes as lossless WebP, MB": webp,
        **quality,
        "in views like the reference views, least dB": kept["as written"],
        "vertices": report["vertices"],
        "graphics memory, MB": round(report["texture bytes"] / 1e6, 1),
        "look-ups of a pixel": report["work of a pixel"]["look-ups"],
    }


def _codebook_row(fit: Fit, entries: int) -> dict[str, Any]:
    """Return a row for vertices that are entries of a codebook: no page has such data."""
    from nfcore_webgl.archive import Archive
    from nfcore_webgl.evaluator import Evaluator
    from nfcore_webgl.importance import importance

    model, views = _model(fit)
    exporter = plugins().build("exporter", "nfcore-webgl/webgl", {"psnr": None})
    with tempfile.TemporaryDirectory() as folder:
        exporter.export(model, Path(folder))
        archive = Archive.of_folder(Path(folder) / "field")
        field, voxels = archive.decoded("field")
    evaluator = Evaluator(archive.header, field, voxels)
    sensitivity = importance(evaluator, model.cameras).codes
    codes, size = quantised(field.codes[1:], sensitivity[1:], entries)
    drawn = evaluator.with_codes(torch.cat([field.codes[:1], codes]))

    def render(poses: Any, intrinsics: Any) -> Any:
        return drawn.images(Cameras(poses, intrinsics, views.cameras.height, views.cameras.width))

    occupied = sum(len(data) for name, data in archive.blocks.items() if name != "codes")
    return {
        "data, MB": round((size + occupied) / 1e6, 2),
        **_quality(model, render, views),
        "vertices": len(codes),
    }


def _quality(model: FittedTeacher, render: Any, views: Views) -> dict[str, Any]:
    of_shown, of_field, to_torch = [], [], []
    for index in range(len(views)):
        camera, photo = views.cameras[index], views.images[index].permute(2, 0, 1)[None]
        shown, field = render(camera.poses, camera.intrinsics), model.render(camera)
        of_shown.append(_psnr(shown, photo))
        of_field.append(_psnr(field, photo))
        to_torch.append(_psnr(shown, field))
    return {
        "photos, dB": round(sum(of_shown) / len(views), 2),
        "float field, dB": round(sum(of_field) / len(views), 2),
        "data to torch, least and mean dB": f"{min(to_torch):.1f}, {sum(to_torch) / len(views):.1f}",
    }


def _webp(folder: Path) -> float:
    """Return the megabytes of the codes as images: all slices of a texture below each other."""
    from PIL import Image

    from nfcore_webgl.archive import Archive

    field, _ = Archive.of_folder(folder / "field").decoded("field")
    total = 0
    for first in range(0, field.codes.shape[1], 4):
        volume = field.codes[field.rows.long(), first : first + 4].permute(2, 1, 0, 3)
        x = volume.shape[2]
        # WebP has at most 16,383 pixels a side.
        for part in volume.split(_WEBP_SIDE // volume.shape[1]):
            file = io.BytesIO()
            Image.fromarray(part.reshape(-1, x, 4).numpy(), "RGBA").save(
                file, "webp", lossless=True, exact=True, method=4
            )
            total += file.tell()
    return round(total / 1e6, 2)


def _psnr(a: Any, b: Any) -> float:
    return float(-10 * (a - b).square().mean().log10())
