"""Kernels against torch: steps and rendering of sparse fields, the guided encoding; the same field, in one run.

A roofline's shares are of a copy's bandwidth and of a float32 matrix product, both measured in the same run. Bytes
are those that kernels ask for: where caches have some of them, a share may be over 100%. Idle threads sleep
(OMP_WAIT_POLICY), as on the command line.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.data import scene

#: Photos' size, steps of the fit before anything is measured, rays of a measured step, and rounds.
SIZE, STEPS, RAYS, ROUNDS = int(os.environ.get("NFCORE_BENCH_SIZE", "200")), 600, 3600, 15
TEACHERS = ("deferred", "voxels")
#: Numbers of the arrays that are copied, and side of the matrices that are multiplied, for the roofline.
_COPIED, _SIDE = 1 << 26, 2048


@dataclass(frozen=True)
class Work:
    """Something that kernels and torch both do.

    Args:
        kernels: does it by kernels.
        torch: does it by torch.
        unit: what is counted.
        count: how many of those it does.
        bytes: that kernels read and write, 0 where they are not counted.
        flops: additions and multiplications, likewise.

    """

    kernels: Callable[[], object]
    torch: Callable[[], object]
    unit: str
    count: int
    bytes: int = 0
    flops: int = 0


def measure() -> list[dict[str, Any]]:
    """Return a row for each kind of work: times of both, samples or rays a second, and the ratio."""
    # As on the command line: OpenMP reads it when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    from nfcore.measuring.timing import interleaved

    bandwidth, arithmetic = _machine()
    rows = []
    for what, work in _works().items():
        times = interleaved({"kernels": work.kernels, "torch": work.torch}, ROUNDS)
        ours, theirs = times["kernels"].median, times["torch"].median
        rows.append(
            {
                "work": what,
                "kernels, ms": round(1e3 * ours, 1),
                "torch, ms": round(1e3 * theirs, 1),
                "unit": work.unit,
                "kernels": round(work.count / ours),
                "torch": round(work.count / theirs),
                "ratio": round(theirs / ours, 2),
                "of the bandwidth": f"{work.bytes / ours / bandwidth:.0%}" if work.bytes else "",
                "of the arithmetic": f"{work.flops / ours / arithmetic:.0%}" if work.flops else "",
                "threads": torch.get_num_threads(),
            }
        )
    rows.append({"work": f"this machine: {bandwidth / 1e9:.1f} GB/s, {arithmetic / 1e9:.0f} GFLOP/s"})
    return rows


def _works() -> dict[str, Work]:
    from nfcore import Budget, Reporter, plugins
    from nfcore.kernels import Unavailable

    source = plugins().build("ray_source", "nfcore-scenes/blender", {"path": str(scene())}, SIZE)
    works: dict[str, Work] = {}
    for name in TEACHERS:
        teacher = plugins().build("teacher", f"nfcore-teachers/{name}", {}, source.scene)
        teacher.fit(source, Budget(STEPS), Reporter())
        if isinstance(teacher.volume.fused(), Unavailable):
            raise SystemExit(f"nothing to compare: {teacher.volume.fused().reason}")
        works |= {f"{name}, training step": _step(name, teacher, source)}
        works |= {f"{name}, rendering": _render(name, teacher, source)}
        if name == TEACHERS[0]:
            encoding = _encoding(teacher, source)
    return works | encoding


def _machine() -> tuple[float, float]:
    """Return bytes and floating-point operations a second of this machine, on all of torch's threads."""
    import torch

    from nfcore.measuring.timing import interleaved

    source, target = torch.ones(_COPIED), torch.empty(_COPIED)
    left, right = torch.rand(_SIDE, _SIDE), torch.rand(_SIDE, _SIDE)
    times = interleaved({"copy": lambda: target.copy_(source), "product": lambda: left @ right}, 5)
    return 8 * _COPIED / times["copy"].median, 2 * _SIDE**3 / times["product"].median


def _without_kernels(work: Callable[[], object]) -> Callable[[], object]:
    def call() -> None:
        os.environ["NFCORE_KERNELS"] = "off"
        try:
            work()
        finally:
            del os.environ["NFCORE_KERNELS"]

    return call


def _step(name: str, teacher: Any, source: Any) -> Work:
    """Return a training step with always the same rays: the field stays as it is."""
    import torch

    from nfcore.runtime import single_thread
    from nfcore_teachers.pixels import PixelBatches
    from nfcore_teachers.sparse_fit import BLOCK, descent

    generator = torch.Generator().manual_seed(0)
    views, volume = source.views("train"), teacher.volume
    pixels = (views.alpha > 0).flatten().nonzero()[:, 0]
    batch = PixelBatches(views, pixels, generator, block=BLOCK).draw(RAYS)
    jitter = torch.rand(len(batch.rays), generator=generator)

    def stepping() -> tuple[Callable[[], object], Any]:
        taking = descent(volume, torch.get_num_threads())
        for group in taking.optimizer.param_groups:
            group["lr"] = 0.0
        return lambda: taking.step(batch, jitter, generator), taking

    kernels, taking = stepping()
    _, samples = volume.fused().differentiate(batch, jitter, 0.0, taking.gradients, taking.touched)
    touched = int(taking.touched.any(0).sum())
    os.environ["NFCORE_KERNELS"] = "off"
    in_torch, _ = stepping()
    del os.environ["NFCORE_KERNELS"]

    def alone() -> None:  # as in a fit: torch's idle threads would hold the cores that kernels need
        with single_thread():
            kernels()

    row = volume.grid.table.shape[1]
    # A sample reads 8 rows, and reads and writes 8 gradients; Adam reads and writes a row and 3 like it.
    size = 4 * row * (3 * 8 * samples + 8 * touched)
    # Interpolation, sums, and the same backwards; the network forward and twice backward.
    asked = samples if name == "voxels" else len(batch.rays)
    flops = samples * row * (21 + 2 + 2 + 22) + 6 * asked * len(volume.network.weights)
    return Work(alone, in_torch, "samples/s", samples, size, flops)


def _render(name: str, teacher: Any, source: Any) -> Work:
    rays = source.views("test").cameras[0].rays().flat()
    volume = teacher.volume

    def render() -> None:
        teacher.render(rays)

    samples, row = volume.fused().render(rays).samples, volume.grid.table.shape[1]
    asked = samples if name == "voxels" else len(rays)
    flops = samples * row * (21 + 2) + 2 * asked * len(volume.network.weights)
    return Work(render, _without_kernels(render), "rays/s", len(rays), 4 * row * 8 * samples, flops)


def _encoding(teacher: Any, source: Any) -> dict[str, Work]:
    """Return rendering and training of the guided encoding of ``teacher``: half as many rays each way."""
    import torch

    from nfcore import plugins, ray_grid
    from nfcore.runtime import single_thread

    cameras = source.views("train").cameras
    encoding = plugins().build("encoding", "nfcore-guided/guided", {}, source.scene)
    encoding.prepare(teacher, source.scene, cameras)
    rays = ray_grid(cameras.poses[:1], cameras.intrinsics[:1], cameras.height, cameras.width, 2)
    upstream = torch.randn_like(encoding(*rays))
    count = upstream[:, 0].numel()

    @torch.no_grad()
    def look() -> None:
        encoding(*rays)

    def learn() -> None:  # on one thread, as in a student's training
        with single_thread():
            encoding.features.table.grad = None
            encoding(*rays).backward(upstream)

    return {
        "guided encoding, forward": Work(look, _without_kernels(look), "rays/s", count),
        "guided encoding, forward and backward": Work(learn, _without_kernels(learn), "rays/s", count),
    }
