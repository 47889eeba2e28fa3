"""Steps and rays a second of the teachers on the GPU and by the CPU's kernels; the paper's student, an image."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.data import scene
from benchmarks.gpu.part import DEVICE, SHARE, row

#: Photos' size, steps of the fit before anything is measured, steps that are measured.
SIZE, STEPS, MEASURED = 400, max(40, round(600 * SHARE)), max(10, round(300 * SHARE))
#: Teachers, and samples in a step. The CPU's kernels take steps of as many as they do by default.
FITS = (("deferred", 60_000), ("deferred", 240_000), ("deferred", 1_000_000), ("voxels", 60_000), ("hash-grid", 0))
ON_CPU = (("deferred", 60_000), ("voxels", 60_000))


def main() -> None:
    """Print all rows; ``cpu``: the figures of two cores, as JSON, for the other process."""
    if sys.argv[1:] == ["cpu"]:
        print(json.dumps([_teacher(*fit, "cpu") for fit in ON_CPU]))
        return
    command = ["taskset", "-c", "0,1", sys.executable, "-m", "benchmarks.gpu.speed", "cpu"]
    two = os.environ | {"OMP_NUM_THREADS": "2"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=two) as process:
        found = {fit: _teacher(*fit, DEVICE) for fit in FITS}
        print(found, file=sys.stderr)
        output, _ = process.communicate()
    on_cpu = dict(zip(ON_CPU, json.loads(output), strict=True))
    for (name, samples), figures in found.items():
        what = f"{name} at {SIZE} pixels" + (f", {samples} samples a step" if samples else "")
        for unit, figure in figures.items():
            row(f"{what}: {unit}", figure, on_cpu.get((name, samples), {}).get(unit, ""))
    _student()


def _teacher(name: str, samples: int, device: str) -> dict[str, float]:
    """Return steps, samples and rays a second of a teacher that has been fitted for a while."""
    import torch

    from nfcore import Budget, Rays, Reporter, plugins

    class Clock(Reporter):
        """Times the last steps."""

        def step(self, step: int, **scalars: float) -> None:
            if step <= STEPS:
                self.began = time.perf_counter()
            self.seconds, self.rays = time.perf_counter() - self.began, scalars.get("rays", 0.0)

    options = {"samples_per_step": samples} if samples else {}
    source = plugins().build("ray_source", "nfcore-scenes/blender", {"path": str(scene())}, SIZE)
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    teacher = plugins().build("teacher", f"nfcore-teachers/{name}", options, source.scene).to(device)
    clock = Clock()
    teacher.fit(source, Budget(STEPS + MEASURED), clock)
    seen = source.views("test").cameras[0].to(device).rays().flat()
    rays = Rays(seen.origins, seen.directions)

    def render() -> None:
        teacher.render(rays).rgb.sum().item()

    found = {
        "steps/s": round(MEASURED / clock.seconds, 1),
        "rays/s rendered": round(len(rays) / _median(render, 5)),
    }
    if clock.rays:
        found["rays/s in training"] = round(clock.rays * MEASURED / clock.seconds)
    if device != "cpu":
        found["GB of its memory at most"] = (
            round(torch.cuda.max_memory_reserved() / 1e9, 2) if DEVICE == "cuda" else 0
        )
    return found


def _student() -> None:
    """Time the paper's student at 800x800, in torch."""
    import torch

    from benchmarks.students import build
    from nfcore.training.precision import autocast

    student = build("mobiler2l", 800).to(DEVICE)
    camera = student.cameras[:1].to(DEVICE)
    types = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    for name in ("fp32", "bf16") if DEVICE == "cpu" else types:

        @torch.no_grad()
        def image(dtype: torch.dtype = types[name]) -> None:
            with autocast(dtype, torch.device(DEVICE)):
                student(camera).sum().item()

        row(f"mobiler2l's student, an image of 800x800 in {name}", round(1e3 * _median(image, 20), 2), unit="ms")


def _median(work: Callable[[], object], rounds: int) -> float:
    """Return the seconds that ``work`` takes, after a first time that is not counted."""
    times = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
