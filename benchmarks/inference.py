"""Latency of one image: all installed runtimes against torch and the machine's peak, in one run."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.packages import export_all
from benchmarks.students import build
from nfcore import plugins
from nfcore.config.schema import Choice
from nfcore.measuring.latency import TORCH, measure_latency

SIZES = {"mobiler2l-small": 100, "mobiler2l": 800}
RUNTIMES = ("onnx", "openvino", "executorch")


def measure() -> list[dict[str, Any]]:
    """Return milliseconds per image for each student, runtime and number of threads, all in fp32."""
    return [row for recipe, size in SIZES.items() for row in _measure(recipe, size)]


def _measure(recipe: str, size: int) -> list[dict[str, Any]]:
    student = build(recipe, size)
    installed = {component.name for _, component in plugins().components("exporter")}
    choices = {name: Choice(name=name) for name in RUNTIMES if name in installed}
    with tempfile.TemporaryDirectory() as folder:
        packages = export_all(student, choices, Path(folder))
        found = measure_latency({"student": student}, packages, threads=sorted({1, os.cpu_count() or 1}))
    rows = []
    for row in found.rows:
        in_torch = found.of(TORCH["student"], row.threads)
        assert in_torch is not None
        low, high = row.timing.quartiles
        rows.append(
            {
                "student": f"{recipe}, {size}x{size}, {found.macs / 1e9:.3g} GMAC",
                "runtime": f"{row.label}{', ' if row.note else ''}{row.note}",
                "threads": row.threads,
                "ms": round(1e3 * row.timing.median, 1),
                "quartiles, ms": f"{1e3 * low:.1f} to {1e3 * high:.1f}",
                "share of the peak": round(row.share_of_peak, 2),
                "speed against torch": round(in_torch.timing.median / row.timing.median, 2),
                "matrix product, GFLOP/s": round(found.peak[row.threads] / 1e9),
            }
        )
    return rows
