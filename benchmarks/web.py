"""Latency of one image in the browser: WebAssembly against native ONNX Runtime, one thread each, in one run."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime

from benchmarks.students import build
from nfcore import LightField, plugins

_ROUNDS = 15
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def measure() -> list[dict[str, Any]]:
    """Return milliseconds per image and images per second of each runtime, and the time to the first picture."""
    from playwright.sync_api import sync_playwright

    browser_path = os.environ.get("NFCORE_CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser_path is None:
        raise SystemExit(f"this benchmark needs Chromium: none of {', '.join(_BROWSERS)} is on the PATH")
    student = build("quickstart", 100)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        native = _native(student, Path(folder))
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page()
        plugins().build("exporter", "web", {}).export(student, Path(folder))
        began = time.perf_counter()
        page.goto(f"{(Path(folder) / 'light_field.html').as_uri()}#backend=wasm")
        page.locator("#frame.shown").wait_for()
        first = time.perf_counter() - began
        compute = "lightField.renderer.compute(lightField.camera).then(p => p.milliseconds)"
        web = _rounds({"native": native, "web": lambda: page.evaluate(compute)})
        browser.close()
    rows = {"ONNX Runtime native, 1 thread": web["native"], "ONNX Runtime Web, wasm, 1 thread": web["web"]}
    return [
        {
            "student": "quickstart, 100x100",
            "runtime": name,
            "ms": round(ms, 1),
            "images/s": round(1e3 / ms, 1),
            "time against native": round(ms / web["native"], 2),
            "first picture, s": round(first, 1) if "wasm" in name else None,
        }
        for name, ms in rows.items()
    ]


def _native(student: LightField, folder: Path) -> Callable[[], float]:
    """Return a function that renders one image and returns its milliseconds."""
    plugins().build("exporter", "onnx", {}).export(student, folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        folder / "light_field.onnx", options, providers=["CPUExecutionProvider"]
    )
    camera = {
        "pose": student.cameras.poses[:1].numpy(),
        "intrinsics": student.cameras.intrinsics[:1].numpy(),
    }

    def render() -> float:
        began = time.perf_counter()
        session.run(None, camera)
        return 1e3 * (time.perf_counter() - began)

    return render


def _rounds(candidates: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Return each candidate's median over interleaved rounds, without the first one."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(_ROUNDS + 1):
        for name, call in candidates.items():
            milliseconds = call()
            if turn:
                times[name].append(milliseconds)
    return {name: statistics.median(values) for name, values in times.items()}
