"""Baked fields as pages: bytes and quality by what is rounded and left out, and by the values of a vertex."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.data import scene
from benchmarks.earlier import earlier
from nfcore import Budget, FittedTeacher, Reporter, Views, plugins

#: By name: data set, image size, seconds of fitting.
SCENES = {
    "lego 200": ("nerf_synthetic/lego", 200, 40),
    "lego 400": ("nerf_synthetic/lego", 400, 90),
    "chair 400": ("nerf_synthetic/chair", 400, 75),
    "lego 800": ("nerf_synthetic/lego", 800, 300),
}
#: Settings of the exporter: all bits, then less and less quality; and what leaving cells out saves.
CURVE: tuple[Mapping[str, float | None], ...] = (
    {"psnr": None},
    {"psnr": 60.0},
    {"psnr": 55.0},
    {"psnr": 50.0},
    {"psnr": 44.0},
    {"psnr": 60.0, "prune": 0.003},
)
#: Of large images, which take minutes.
_SHORT = CURVE[3:5]
_WEBP_SIDE = 16_383


def measure(only: str = "") -> list[dict[str, Any]]:
    """Return a row for each scene and setting; ``only`` is a scene, or SCENE=FILE of a fitted teacher of it.

    Scenes that are not measured keep their earlier rows.
    """
    name, _, file = only.partition("=")
    before = earlier("baked_curve", "page")
    rows: dict[str, dict[str, Any]] = {}
    for case in SCENES:
        if name in ("", case):
            rows |= {row["page"]: row for row in _measured(case, file)}
    return list({**before, **rows}.values())


def _measured(name: str, file: str) -> list[dict[str, Any]]:
    import torch

    torch.set_num_threads(2)
    path, size, seconds = SCENES[name]
    source = plugins().build("ray_source", "nfcore-scenes/blender", {"path": str(scene(path))}, size)
    views = source.views("test")
    if file:
        teacher = FittedTeacher.load(Path(file)).teacher
    else:
        teacher = plugins().build("teacher", "nfcore-teachers/deferred", {"values": 7}, source.scene)
        teacher.fit(source, Budget(100_000, seconds=seconds), Reporter())
    model = FittedTeacher(teacher.eval(), source.views("train").cameras)
    images = model.render(views.cameras)
    return [_row(name, model, images, views, options) for options in (CURVE if size <= 200 else _SHORT)]


def _row(
    name: str, model: FittedTeacher, images: Any, views: Views, options: Mapping[str, float | None]
) -> dict[str, Any]:
    import torch

    exporter = plugins().build("exporter", "nfcore-webgl/webgl", options)
    cameras, photos = views.cameras, [image.permute(2, 0, 1) for image in views.images]
    with tempfile.TemporaryDirectory() as folder:
        described = exporter.export(model, Path(folder))
        render = exporter.load(Path(folder)).render
        shown = torch.cat(
            [render(camera.poses, camera.intrinsics) for camera in map(cameras.__getitem__, range(len(cameras)))]
        )
        page = (Path(folder) / "baked_field.html").stat().st_size
        data = sum(path.stat().st_size for path in (Path(folder) / "field").glob("*.bin"))
        webp = _webp(Path(folder)) if options == {"psnr": 60.0} else None
    report: Any = described.report
    values = report["values of a vertex"]
    kept = report["least PSNR to the teacher in views like the reference views, dB"]
    settings = ", ".join(f"{key} {value:g}" if value else "all 8 bits" for key, value in options.items())
    to_torch = [_psnr(a, b) for a, b in zip(shown, images, strict=True)]
    return {
        "page": f"{name}, {values} values, {settings}",
        "page, MB": round(page / 1e6, 2),
        "data, MB": round(data / 1e6, 2),
        "codes as lossless WebP, MB": webp,
        "photos, dB": round(sum(map(_psnr, shown, photos)) / len(photos), 2),
        "float field, dB": round(sum(map(_psnr, images, photos)) / len(photos), 2),
        "data to torch, least and mean dB": f"{min(to_torch):.1f}, {sum(to_torch) / len(to_torch):.1f}",
        "in views like the reference views, least dB": kept["as written"],
        "vertices": report["vertices"],
        "graphics memory, MB": round(report["texture bytes"] / 1e6, 1),
        "look-ups of a pixel": report["work of a pixel"]["look-ups"],
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
