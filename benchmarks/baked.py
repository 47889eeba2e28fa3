"""A baked field (2400 steps) as a page: bytes and quality by values and PSNR kept; 800x800 against MobileR2L."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.data import scene
from benchmarks.students import build
from nfcore import Budget, Cameras, FittedTeacher, Reporter, Teacher, Views, plugins

#: Photos' size, steps of the fit, PSNR that is kept, and side and rounds of the timed image.
SIZE, STEPS, QUALITIES, SIDE, ROUNDS = 200, 2400, (None, 60.0, 50.0), 800, 3
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_PIXELS = """question => lightField.renderer.pixels(question).then((pixels) => {
  let text = "";
  for (let i = 0; i < pixels.length; i += 8192) text += String.fromCharCode(...pixels.subarray(i, i + 8192));
  return btoa(text);
})"""


def measure(teachers: str = "") -> list[dict[str, Any]]:
    """Return a row for each field and PSNR; ``teachers`` names files of fitted ones, separated by commas."""
    import torch

    torch.set_num_threads(2)
    source = plugins().build("ray_source", "nfcore-scenes/blender", {"path": str(scene())}, SIZE)
    views = source.views("test")
    rows = []
    for teacher in _teachers(teachers, source):
        model = FittedTeacher(teacher, views.cameras)
        images = model.render(views.cameras)
        for wanted in QUALITIES:
            with tempfile.TemporaryDirectory() as folder:
                rows.append(_row(model, images, views, wanted, Path(folder)))
    return rows


def _teachers(files: str, source: Any) -> Iterator[Teacher]:
    from nfcore.pipeline import load_teacher

    if files:
        yield from (load_teacher(Path(file)) for file in files.split(","))
        return
    for values in (7, 15):
        teacher = plugins().build("teacher", "nfcore-teachers/deferred", {"values": values}, source.scene)
        teacher.fit(source, Budget(STEPS), Reporter())
        yield teacher.eval()


def _row(model: FittedTeacher, images: Any, views: Views, wanted: float | None, folder: Path) -> dict[str, Any]:
    import torch

    exporter = plugins().build("exporter", "nfcore-webgl/webgl", {"psnr": wanted})
    described = exporter.export(model, folder)
    runner = exporter.load(folder)
    cameras, photos = views.cameras, [image.permute(2, 0, 1) for image in views.images]
    shown = torch.cat([runner.render(cameras[i].poses, cameras[i].intrinsics) for i in range(len(cameras))])
    to_torch = [psnr(a, b) for a, b in zip(shown, images, strict=True)]
    page = folder / "baked_field.html"
    row = {
        "scene": f"lego {SIZE}",
        "values": described.report["values of a vertex"],
        "psnr kept": wanted,
        "page, MB": round(page.stat().st_size / 1e6, 2),
        "data, MB": round(sum(path.stat().st_size for path in (folder / "field").glob("*.bin")) / 1e6, 2),
        "photos, dB": round(sum(map(psnr, shown, photos)) / len(photos), 2),
        "float field, dB": round(sum(map(psnr, images, photos)) / len(photos), 2),
        "to torch, least dB": round(min(to_torch), 1),
    }
    return row | in_chromium(page, cameras[0], shown[:1], timed=wanted == QUALITIES[1])


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
            row |= _times(lambda: page.evaluate("q => lightField.renderer.draw(q)", large))
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
