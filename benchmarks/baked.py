"""Baked fields as pages: quality; 800x800 in Chromium against the paper's network. ``psnr`` is 60 if not named."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.data import LEGO
from benchmarks.earlier import earlier
from benchmarks.fields import Photos, fitted
from benchmarks.students import build
from nfcore import Budget, Cameras, FittedTeacher, Views, plugins


class Case(NamedTuple):
    """A field, whether its large image is timed, the teacher to compare with, and the exporter's ``psnr``."""

    photos: Photos
    budget: Budget
    options: dict[str, int]
    timed: bool = False
    other: str | None = None
    psnr: float = 60.0


CASES = {
    "lego 200, 7 values": Case(Photos("blender", LEGO, 200), Budget(2800), {"values": 7}, timed=True),
    "lego 200, 7 values, 120 voxels, psnr 64": Case(
        Photos("blender", LEGO, 200),
        Budget(1_000_000, seconds=40),
        {"values": 7, "resolution": 120},
        timed=True,
        psnr=64.0,
    ),
    "lego 200, 15 values": Case(Photos("blender", LEGO, 200), Budget(2800), {"values": 15}, timed=True),
    "fern 252": Case(Photos("llff", "nerf_llff_data/fern", 252), Budget(1_000_000, 60), {}, other="voxels"),
    "beer 160": Case(Photos("colmap", "colmap/beer", 160), Budget(800), {}, other="voxels"),
}
#: Side of the timed image, and rounds.
SIDE, ROUNDS = 800, 15
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_PIXELS = """question => lightField.alone(() => lightField.renderer.pixels(question)).then((pixels) => {
  let text = "";
  for (let i = 0; i < pixels.length; i += 8192) text += String.fromCharCode(...pixels.subarray(i, i + 8192));
  return btoa(text);
})"""
_DRAW = "question => lightField.alone(() => lightField.renderer.draw({ stale: () => false, ...question }))"


def measure(only: str = "") -> list[dict[str, Any]]:
    """Return a row for each field; only those with ``only`` in their names are measured again."""
    rows = earlier("baked", "field")
    for name, case in CASES.items():
        if only in name:
            rows[name] = {"field": name, **_row(case)}
    return [rows[name] for name in CASES if name in rows]


def _row(case: Case) -> dict[str, Any]:
    photos, budget = case.photos, case.budget
    source = photos.source()
    views, references = source.views("test"), source.views("train").cameras
    model = FittedTeacher(fitted(photos, source, budget, **case.options), references)
    images, cameras = [model.render(camera) for camera in views.cameras], views.cameras
    exporter = plugins().build("exporter", "nfcore-webgl/webgl", {"psnr": case.psnr})
    with tempfile.TemporaryDirectory() as name:
        folder, page = Path(name), Path(name) / "baked_field.html"
        exporter.export(model, folder)
        render = exporter.load(folder).render
        shown = [render(camera.poses, camera.intrinsics) for camera in cameras]
        row: dict[str, Any] = {
            "page, MB": round(page.stat().st_size / 1e6, 2),
            "photos, dB": _to_photos(shown, views),
            "float field, dB": _to_photos(images, views),
            "data to torch, least and mean dB": _least_and_mean(list(map(psnr, shown, images))),
            **in_chromium(page, cameras[0], shown[0], timed=case.timed),
        }
    if case.other is not None:
        other = FittedTeacher(fitted(photos, source, budget, case.other), references)
        row[f"{case.other}, dB"] = _to_photos([other.render(camera) for camera in cameras], views)
    return row


def _to_photos(images: list[Any], views: Views) -> float:
    """Return the mean PSNR over the test views, dB, of the pixels that count."""
    from nfcore.evaluation.metrics import psnr as of_images

    total = 0.0
    for index, image in enumerate(images):
        photo, ignored = views.images[index].permute(2, 0, 1)[None], None
        if views.masks is not None:
            ignored = views.masks[index][None]
        total += float(of_images(image, photo, ignored))
    return round(total / len(images), 2)


def _least_and_mean(found: list[float]) -> str:
    return f"{min(found):.1f}, {sum(found) / len(found):.1f}"


def in_chromium(page_file: Path, camera: Cameras, expected: Any, *, timed: bool) -> dict[str, Any]:
    """Return how close the page's pixels are to the data, and the CPU time of a large image."""
    import torch
    from playwright.sync_api import sync_playwright

    browser_path = os.environ.get("NFCORE_CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser_path is None:
        raise SystemExit(f"this benchmark needs Chromium: none of {', '.join(_BROWSERS)} is on the PATH")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--enable-unsafe-swiftshader"]
        browser = playwright.chromium.launch(executable_path=browser_path, args=flags)
        page = browser.new_page(viewport={"width": 64, "height": 160})
        page.goto(page_file.resolve().as_uri())
        page.locator("#frame.shown").wait_for()
        data = base64.b64decode(page.evaluate(_PIXELS, _question(camera)))
        pixels = torch.frombuffer(bytearray(data), dtype=torch.uint8).view(1, camera.height, camera.width, 4)
        close = psnr(pixels[..., :3].permute(0, 3, 1, 2) / 255, expected)
        row: dict[str, Any] = {
            "pixels to data, dB": round(close, 1),
            "drawn by": "SwiftShader" if page.evaluate("lightField.renderer.gpu.software") else "a GPU",
        }
        if timed:
            large = _question(camera.resized(SIDE, SIDE))
            row |= _times(lambda: page.evaluate(_DRAW, large))
        browser.close()
    return row


def _times(draw: Callable[[], object]) -> dict[str, Any]:
    """Return the CPU time of the page's image and of the paper's network in ONNX Runtime, interleaved."""
    network = _network()
    times: dict[str, list[float]] = {"page": [], "network": []}
    for turn in range(ROUNDS + 1):
        for name, work, spent in (("page", draw, _children), ("network", network, time.process_time)):
            began = spent()
            work()
            if turn:
                times[name].append(1e3 * (spent() - began))
    page, paper = median(times["page"]), median(times["network"])
    return {
        f"image {SIDE}x{SIDE}, CPU ms": round(page),
        "MobileR2L in ONNX Runtime, CPU ms": round(paper),
        "ratio": round(page / paper, 2),
    }


def _children() -> float:
    """Return the CPU seconds that this process's children, which are the browser, have used."""
    import psutil

    return sum(sum(child.cpu_times()[:2]) for child in psutil.Process().children(recursive=True))


def _network() -> Callable[[], object]:
    """Return a call that renders one image with the untrained network of the paper, on one thread."""
    import onnxruntime

    student = build("mobiler2l", SIDE)
    with tempfile.TemporaryDirectory() as folder:
        plugins().build("exporter", "nfcore-onnx/onnx", {}).export(student, Path(folder))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        file = Path(folder) / "light_field.onnx"
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    camera = {
        "pose": student.cameras.poses[:1].numpy(),
        "intrinsics": student.cameras.intrinsics[:1].numpy(),
    }
    return lambda: session.run(None, camera)


def _question(camera: Cameras) -> dict[str, Any]:
    return {
        "pose": camera.poses.flatten().tolist(),
        "intrinsics": camera.intrinsics.flatten().tolist(),
        "width": camera.width,
        "height": camera.height,
    }


def psnr(a: Any, b: Any) -> float:
    """Return the PSNR of two images (3, h, w) or (1, 3, h, w), dB; 140 where they are equal."""
    from nfcore.evaluation.metrics import psnr as of_images

    return float(of_images(a.view(1, *a.shape[-3:]), b.view(1, *b.shape[-3:])))
