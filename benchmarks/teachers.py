"""Teachers on lego at 100x100 pixels: PSNR on every 5th test view over CPU seconds of the fit, one thread."""

from __future__ import annotations

import os
import time
from typing import Any

from benchmarks.data import scene
from benchmarks.earlier import earlier

#: Test views to render: the networks take 40 s for all 25.
VIEWS = slice(None, None, 5)
#: CPU seconds of a fit; NFCORE_BENCH_SECONDS=5,10 changes them.
SECONDS = tuple(float(s) for s in os.environ.get("NFCORE_BENCH_SECONDS", "10,20,40,60").split(","))
#: Schedules follow the budget's clock, so each teacher is fitted once for each of the times.
SMALL_NETWORK = {"depth": 4, "width": 64, "rays_per_step": 256, "learning_rate": 2e-3}
#: Sizes that suit a CPU.
TEACHERS: dict[str, dict[str, Any]] = {
    "deferred": {},
    "voxels": {},
    "hash-grid": {
        "levels": 6,
        "features": 4,
        "log2_table": 16,
        "hidden": 32,
        "samples_per_step": 10_000,
        "learning_rate": 0.03,
    },
    "nerf": SMALL_NETWORK | {"octaves": 6, "coarse": 24, "fine": 24},
    "mip-nerf": SMALL_NETWORK | {"octaves": 8, "samples": 24},
}


def measure(only: str = "") -> list[dict[str, Any]]:
    """Return a row for each teacher; only those with ``only`` in their names are measured again."""
    before = earlier("teachers", "teacher")
    rows = (_row(name, each) if only in name else before.get(name) for name, each in TEACHERS.items())
    return [row for row in rows if row]


def _row(name: str, options: dict[str, Any]) -> dict[str, Any]:
    from nfcore import plugins
    from nfcore.runtime.threads import single_thread

    source = plugins().build("ray_source", "nfcore-scenes/blender", {"path": str(scene())}, 100)
    row: dict[str, Any] = {"teacher": name, "options": ", ".join(f"{k}={v}" for k, v in options.items())}
    with single_thread():
        for seconds in SECONDS:
            teacher = plugins().build("teacher", f"nfcore-teachers/{name}", options, source.scene)
            steps = _fit(teacher, source, seconds)
            psnr, rate = _look(teacher, source)
            row[f"PSNR at {seconds:g} s"] = round(psnr, 2)
    row["steps"] = steps
    row["rays/s rendered"] = round(rate)
    row["parameters"] = sum(parameter.numel() for parameter in teacher.parameters())
    return row


def _fit(teacher: Any, source: Any, seconds: float) -> int:
    """Fit for ``seconds`` of CPU time; return the number of steps."""
    from nfcore import Reporter
    from nfcore.interfaces.budget import Budget, Clock
    from nfcore.pipeline.teach import teach

    class ProcessorClock(Clock):
        """Measures this process's CPU time, which other processes affect less than wall time."""

        @property
        def spent(self) -> float:
            return time.process_time() - self.started

    class ProcessorBudget(Budget):
        """A budget in CPU seconds."""

        def clock(self, spent: float = 0.0) -> Clock:
            return ProcessorClock(self, time.process_time() - spent)

    class Count(Reporter):
        """Records the last step."""

        steps = 0

        def step(self, step: int, **scalars: float) -> None:
            self.steps = step

    count = Count()
    teach(teacher, source, ProcessorBudget(steps=10**9, seconds=seconds), count)
    return count.steps


def _look(teacher: Any, source: Any) -> tuple[float, float]:
    """Return the mean PSNR of the test views, dB, and the rays rendered per CPU second."""
    from nfcore.evaluation.metrics import psnr

    views = source.views("test")
    images, cameras = views.images[VIEWS], views.cameras[VIEWS]
    rays = cameras.rays().flat()
    began = time.process_time()
    seen = teacher.render(rays).rgb.view(images.shape)
    rate = len(rays) / (time.process_time() - began)
    return float(psnr(seen.permute(0, 3, 1, 2), images.permute(0, 3, 1, 2)).mean()), rate
