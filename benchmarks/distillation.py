"""The distillation engine against the reference's plain loop: the same network, alternating, in one process."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.students import build
from nfcore import LightField, Reporter, plugins
from nfcore.config.resolve import configure
from nfcore.config.schema import DistillConfig
from nfcore.pipeline.losses import build_loss
from nfcore.runtime.devices import choose_device
from nfcore.runtime.threads import single_thread
from nfcore.student.complexity import macs
from nfcore.training.loop import train
from nfcore.training.precision import autocast, network_dtype
from nfcore.views.training_views import TrainingViews

STORED = 24  # views that both draw from; their number does not affect a step
PLAIN, PLAIN_ONE, ENGINE = "plain loop", "plain loop, 1 thread", "engine"


@dataclass(frozen=True)
class Size:
    """The amount of work to measure for one network."""

    image_size: int
    plain_steps: int
    engine_steps: int
    rounds: int


# Recipes that are not installed are left out.
SIZES = {"mobiler2l-small": Size(100, 40, 40, 7), "guided": Size(100, 40, 40, 7), "mobiler2l": Size(800, 1, 1, 2)}


def measure() -> list[dict[str, Any]]:
    """Return a row for each network and loop."""
    known = {recipe.name for _, recipe in plugins().recipes()}
    return [row for recipe, size in SIZES.items() if recipe in known for row in _rows(recipe, size)]


def _rows(recipe: str, size: Size) -> list[dict[str, Any]]:
    config = configure(recipe, plugins()).distill
    bench = Bench(recipe, size, config)
    loops = {PLAIN: bench.plain, PLAIN_ONE: bench.plain_one_thread, ENGINE: bench.engine}
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in loops}
    for turn in range(size.rounds + 1):
        for name, loop in loops.items():
            speed = loop()
            if turn:
                speeds[name].append(speed)
    wall = {name: statistics.median(speed[0] for speed in speeds[name]) for name in loops}
    cpu = {name: statistics.median(speed[1] for speed in speeds[name]) for name in loops}
    peak = matmul_peak(bench.device, network_dtype(config.precision, bench.device))
    view = size.image_size**2 * 3
    on_disk = {name: 0 if name == ENGINE else config.views * view * 4 for name in loops}
    in_memory = min(config.views * view, int(config.view_memory * (1 << 30)))
    return [
        {
            "network": f"{recipe}, {size.image_size}x{size.image_size}",
            "loop": name,
            "images/s": round(wall[name] / bench.rays_per_image, 2),
            "rays/s": round(wall[name]),
            "ratio": round(wall[name] / wall[PLAIN], 2),
            "rays/CPU s": round(cpu[name]),
            "ratio, CPU s": round(cpu[name] / cpu[PLAIN], 2),
            "% of matmul peak": round(100 * 6 * bench.macs_per_ray * wall[name] / peak, 1),
            "peak memory, MiB": _peak_memory(recipe, name),
            "pseudo data on disk, MB": round(on_disk[name] / 1e6),
            "in memory, MB": round(in_memory / 1e6) if name == ENGINE else 0,
        }
        for name in loops
    ]


class Bench:
    """One network, and both ways to train it, in rounds.

    Args:
        recipe: the student's recipe.
        size: the work of a round.
        config: the recipe's distillation, for the engine.

    """

    def __init__(self, recipe: str, size: Size, config: DistillConfig) -> None:
        self.size = size
        self.device = choose_device("auto")
        self.student = build(recipe, size.image_size).to(self.device)
        side = size.image_size // self.student.scale
        self.rays_per_image = side * side
        self.macs_per_ray = macs(self.student) / self.rays_per_image
        self.config = config.model_copy(update={"steps": size.engine_steps, "warmup": 0.0})
        crop = min(config.crop or side, side)
        self.rays_per_step = config.batch * crop**2
        images = torch.randint(0, 256, (STORED, size.image_size, size.image_size, 3), dtype=torch.uint8)
        self.cameras = self.student.cameras[torch.arange(STORED) % len(self.student.cameras)]
        whole = torch.tensor([[0, 0, size.image_size, size.image_size]])
        self.views = TrainingViews(self.cameras, images.to(self.device), whole.expand(STORED, -1))
        self.folder = tempfile.TemporaryDirectory()
        for index, image in enumerate(images):
            np.save(Path(self.folder.name) / f"{index}.npy", image.numpy().astype(np.float32) / 255)
        self.plain_student = build(recipe, size.image_size).to(self.device)
        self.optimizer = torch.optim.AdamW(self.plain_student.parameters(), lr=1e-4)

    def plain(self) -> tuple[float, float]:
        """Train as the reference does: each step loads one float32 view from disk and reads the loss."""
        with torch.random.fork_rng():
            return _timed(lambda: self._plain(self.plain_student), self.size.plain_steps * self.rays_per_image)

    def plain_one_thread(self) -> tuple[float, float]:
        """Do the same on one thread, which is faster for small operations."""
        with single_thread():
            return self.plain()

    def engine(self) -> tuple[float, float]:
        """Train as the recipe does; the time before the first step is not counted."""
        clock = Stopwatch()
        train(self.student, self.views, build_loss(self.config), self.config, 0, clock)
        rays = self.size.engine_steps * self.rays_per_step
        return rays / clock.wall, rays / clock.cpu

    def _plain(self, student: LightField) -> None:
        student.train()
        for index in torch.randint(STORED, (self.size.plain_steps,)).tolist():
            truth = torch.from_numpy(np.load(Path(self.folder.name) / f"{index}.npy")).to(self.device)
            image = student(self.cameras[index].to(self.device))
            loss = torch.nn.functional.mse_loss(image, truth.permute(2, 0, 1)[None])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss.item()


class Stopwatch(Reporter):
    """Times a training from its first to its last step."""

    def start(self, total: int, unit: str = "step") -> None:  # noqa: D102
        self.began = time.perf_counter(), time.process_time()

    def step(self, step: int, **scalars: float) -> None:  # noqa: D102
        self.wall, self.cpu = time.perf_counter() - self.began[0], time.process_time() - self.began[1]


def _timed(work: Callable[[], None], rays: int) -> tuple[float, float]:
    """Return rays per second of wall time and of CPU time."""
    began = time.perf_counter(), time.process_time()
    work()
    return rays / (time.perf_counter() - began[0]), rays / (time.process_time() - began[1])


def matmul_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Return the floating-point operations per second of a large matrix product, on all threads."""
    n = 2048 if device.type == "cpu" else 8192
    left, right = (torch.rand(n, n, device=device) for _ in range(2))

    def product() -> Tensor:
        with autocast(dtype, device):
            return left @ right

    times = []
    for _ in range(5):
        began = time.perf_counter()
        product()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - began)
    return 2 * n**3 / min(times)


def _peak_memory(recipe: str, loop: str) -> int:
    """Return the peak resident memory, MiB, of a process that runs only this loop."""
    command = [sys.executable, "-m", "benchmarks.distillation", recipe, loop]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _alone(recipe: str, loop: str) -> None:
    bench = Bench(recipe, SIZES[recipe], configure(recipe, plugins()).distill)
    {PLAIN: bench.plain, PLAIN_ONE: bench.plain_one_thread, ENGINE: bench.engine}[loop]()
    sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10))


if __name__ == "__main__":
    _alone(*sys.argv[1:])
