"""Lego at 800x800 by the paper's protocol: PSNR on the 25 test views over training time, for a GPU."""

from __future__ import annotations

import json
import math
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.data import scene
from benchmarks.distillation import matmul_peak
from nfcore import runs
from nfcore.evaluation.metrics import psnr
from nfcore.io.atomic import atomic_path, write_json
from nfcore.io.tensors import load_state
from nfcore.pipeline import evaluate
from nfcore.runs import Artifacts
from nfcore.student.complexity import macs
from nfcore.training.precision import network_dtype

RUNS = Path("runs")
LEVELS = (30, 31, 32)

# Half an hour for teacher and student, estimated without a GPU. The paper's own 600,000 steps take days; a
# schedule by time ends on time, however long a step takes.
_BOTH = ("image_size=800", "teach.seconds=180", "distill.view_memory=32", "export={}")
SETTINGS = {
    "mobiler2l": (*_BOTH, "distill.seconds=1500", "distill.steps=80000", "distill.batch=64", "distill.views=5000"),
    "guided": (*_BOTH, "distill.seconds=1500", "distill.steps=60000", "distill.batch=32", "distill.views=5000"),
}


def measure(only: str = "") -> list[dict[str, Any]]:
    """Return a row for each recipe's run so far; ``only``: one recipe, and the seconds to continue it."""
    recipe, _, seconds = only.partition(":")
    if recipe and recipe not in SETTINGS:
        sys.exit(f"paper_protocol:{only}: write RECIPE or RECIPE:SECONDS, with {' or '.join(SETTINGS)}")
    for name in (recipe,) if recipe else SETTINGS:
        _continue(name, float(seconds or "inf"))
    started = [name for name in SETTINGS if (RUNS / f"paper-{name}" / "config.toml").exists()]
    return [_row(name, RUNS / f"paper-{name}") for name in started]


def _continue(recipe: str, seconds: float) -> None:
    """Execute the run for at most ``seconds``, and keep a copy of each checkpoint."""
    run = RUNS / f"paper-{recipe}"
    changes = [part for change in SETTINGS[recipe] for part in ("--set", change)]
    nfcore = str(Path(sys.executable).parent / "nfcore")
    command = [nfcore, "run", recipe, "--scene", f"blender:{scene()}", *changes, "--runs", str(RUNS)]
    began = time.monotonic()
    process = subprocess.Popen([*command, "--name", run.name, "--resume"])
    while process.poll() is None:
        if time.monotonic() - began > seconds:
            process.send_signal(signal.SIGINT)
            process.wait()
        _keep_checkpoint(run)
        time.sleep(1)


def _keep_checkpoint(run: Path) -> None:
    """Copy the distillation's checkpoint if there is a new one: the run replaces it."""
    checkpoint, kept = run / "state" / "distill.safetensors", run / "curve"
    try:
        copy = kept / f"{checkpoint.stat().st_mtime_ns}.safetensors"
        kept.mkdir(exist_ok=True)
        if not copy.exists():
            with atomic_path(copy) as temporary:
                shutil.copy(checkpoint, temporary)
    except FileNotFoundError:  # none yet, or none any more
        return


def _row(recipe: str, folder: Path) -> dict[str, Any]:
    run = runs.open(folder)
    curve = _curve(run)
    figures = run.results
    taught = figures.get("seconds.teach", 0.0)
    row: dict[str, Any] = {"student": recipe, "finished": ", ".join(run.run.finished) or "nothing"}
    row["teacher, s"] = taught
    for level in LEVELS:
        reached = [point["seconds"] for point in curve if point["psnr"] >= level]
        row[f"s to {level} dB"] = round(taught + reached[0]) if reached else "not reached"
    if len(curve) > 1:
        row |= _speed(run, curve)
    row["teacher PSNR"] = _rounded(figures.get("teacher.test.psnr"))
    row["student PSNR"] = _rounded(figures.get("student.test.psnr"))
    row["whole run, s"] = figures.get("seconds.total")
    points = (f"{taught + point['seconds']:.0f}, {point['psnr']:.2f}" for point in curve)
    row["curve: s with the teacher, dB"] = "; ".join(points)
    return row


def _curve(run: Artifacts) -> list[dict[str, float]]:
    """Return step, seconds and PSNR on the test views of each kept checkpoint; each is scored once."""
    known = run.run.folder / "curve" / "curve.json"
    curve: dict[str, dict[str, float]] = json.loads(known.read_text()) if known.exists() else {}
    for path in sorted(known.parent.glob("*.safetensors")):
        if path.name not in curve:
            saved = load_state(path)
            student = run.new_student().to(run.device)
            student.load_state_dict(saved["state"]["student"])
            views = run.source.views("test")
            quality = evaluate(student.eval(), views, metrics={"psnr": psnr})
            point = {"step": saved["step"], "seconds": saved["seconds"], "psnr": quality.mean["psnr"]}
            curve[path.name] = point
            write_json(known, curve)
    return sorted(curve.values(), key=lambda point: point["step"])


def _speed(run: Artifacts, curve: list[dict[str, float]]) -> dict[str, Any]:
    """Return images per second, the median between checkpoints, also relative to a matrix product's rate."""
    config, student = run.config.distill, run.new_student()
    rays_per_image = math.prod(student.grid)
    speeds = sorted((b["step"] - a["step"]) / (b["seconds"] - a["seconds"]) for a, b in pairwise(curve))
    rays = speeds[len(speeds) // 2] * config.batch * (config.crop or 0) ** 2
    peak = matmul_peak(run.device, network_dtype(config.precision, run.device))
    return {
        "images/s": round(rays / rays_per_image, 1),
        "rays/s": round(rays),
        "% of matmul peak": round(600 * macs(student) / rays_per_image * rays / peak, 1),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
