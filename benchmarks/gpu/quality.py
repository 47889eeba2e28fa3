"""Lego at 800x800: ``deferred`` after a minute and after three, and the paper's student after some more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.data import scene
from benchmarks.gpu.part import DEVICE, SHARE, kept, nfcore, row, seconds

SIZE = int(os.environ.get("NFCORE_BENCH_SIZE", "800"))
#: Seconds of the teacher's fit, 60,180 by default, and samples in a step of the GPU: its default, and the CPU's.
FITTING = tuple(map(float, os.environ.get("NFCORE_BENCH_SECONDS", "60,180").split(",")))
SAMPLES = (240_000, 60_000)
#: Seconds of the teacher's fit and of the distillation, by the student's recipe.
STUDENTS = {"mobiler2l": (30, 90)}


def main() -> None:
    """Print all rows. The CPU's fits run meanwhile, one after the other."""
    with ThreadPoolExecutor(1) as cores:
        on_cpu = {budget: cores.submit(_fitted, "cpu", budget) for budget in FITTING}
        fits = {(budget, SAMPLES[0]): _fitted(DEVICE, budget, SAMPLES[0]) for budget in FITTING}
        fits[FITTING[0], SAMPLES[1]] = _fitted(DEVICE, FITTING[0], SAMPLES[1])
        for recipe, (teaching, distilling) in STUDENTS.items():
            _student(recipe, teaching, distilling)
        for (budget, samples), there in fits.items():
            here = on_cpu[budget].result()
            what = f"lego at {SIZE} pixels, deferred, {budget:g} s, {samples} samples a step"
            row(what, there["psnr"], here["psnr"], "dB", f"{there['steps']} steps, on the CPU {here['steps']}")
            row(f"{what}: from start to scores", there["seconds"], here["seconds"], "s")


def _fitted(device: str, budget: float, samples: int = 0) -> dict[str, float]:
    """Fit and score the teacher on a device; on a CPU by two cores."""
    folder = kept() / f"lego-{SIZE}-{device}-{budget:g}-{samples}"
    settings = [f"teach.steps={10**6}", f"teach.seconds={seconds(budget):g}", f"device={device}"]
    settings += [f"teacher.samples_per_step={samples}"] if samples else []
    prefix = ["taskset", "-c", "0,1"] if device == "cpu" else []
    began = time.perf_counter()
    _run("teach", folder, "--recipe", "field", *_begin(*settings), prefix=prefix)
    _run("evaluate", folder, prefix=prefix)
    spent, psnr = time.perf_counter() - began, round(_figures(folder)["teacher.test.psnr"], 2)
    found = {"psnr": psnr, "seconds": round(spent), "steps": _last_step(folder, "teach")}
    print(device, budget, samples, found, file=sys.stderr)
    return found


def _student(recipe: str, teaching: float, distilling: float) -> None:
    folder = kept() / f"lego-{SIZE}-{recipe}"
    settings = ("teach.steps=1000000", f"teach.seconds={seconds(teaching):g}", f"device={DEVICE}",
                "distill.steps=80000", f"distill.seconds={seconds(distilling):g}", "distill.view_memory=16",
                "distill.views=500", "finetune.steps=0", "teacher.name=nfcore-teachers/deferred")  # fmt: skip
    if SHARE < 1:
        settings += ("distill.batch=2", "distill.crop=4", "distill.first_views=1")
    _run("teach", folder, "--recipe", recipe, *_begin(*settings))
    for stage in ("distill", "finetune", "evaluate"):
        _run(stage, folder)
    figures, steps = _figures(folder), _last_step(folder, "distill")
    what = f"lego at {SIZE} pixels, {recipe}'s student, {teaching} s of its teacher and {distilling} s"
    note = f"{steps} steps of distillation; its teacher has {figures['teacher.test.psnr']:.2f} dB"
    row(what, round(figures["student.test.psnr"], 2), unit="dB", note=note)
    row(f"{recipe}'s student, steps of distillation", round(steps / figures["seconds.distill"], 1), unit="steps/s")


def _begin(*settings: str) -> list[str]:
    options = [part for setting in (f"image_size={SIZE}", *settings) for part in ("--set", setting)]
    return ["--scene", f"blender:{scene()}", *options]


def _run(command: str, folder: Path, *options: str, prefix: Sequence[str] = ()) -> None:
    threads = {"OMP_NUM_THREADS": "2"} if prefix else {}
    command_line = [*prefix, *nfcore(command, str(folder), *options, "--quiet")]
    subprocess.run(command_line, check=True, stdout=sys.stderr, env=os.environ | threads)


def _figures(folder: Path) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return figures


def _last_step(folder: Path, stage: str) -> int:
    reports = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return max(report["step"] for report in reports if report["stage"] == stage)


if __name__ == "__main__":
    main()
