"""Kernels against torch: training step and rendering of ``deferred``, the guided encoding; same field, one run."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from benchmarks.data import scene

#: Photos' size, steps of the fit before anything is measured, rays of a measured step, and rounds.
SIZE, STEPS, RAYS, ROUNDS = int(os.environ.get("NFCORE_BENCH_SIZE", "200")), 600, 3600, 15


def measure() -> list[dict[str, Any]]:
    """Return a row for each kind of work: times of both, samples or rays a second, and the ratio."""
    import torch

    from nfcore import Budget, Reporter, plugins
    from nfcore.kernels import Unavailable
    from nfcore.measuring.timing import interleaved
    from nfcore.runtime import single_thread

    source = plugins().build("ray_source", "nfcore-scenes/blender", {"path": str(scene())}, SIZE)
    field = plugins().build("teacher", "nfcore-teachers/deferred", {}, source.scene)
    field.fit(source, Budget(STEPS), Reporter())
    if isinstance(field.volume.fused(), Unavailable):
        raise SystemExit(f"nothing to compare: {field.volume.fused().reason}")
    views = source.views("test")
    threads = torch.get_num_threads()
    rays = views.cameras[0].rays().flat()

    def render() -> None:
        field.render(rays)

    fused_step, samples = _step(field, source, threads)
    os.environ["NFCORE_KERNELS"] = "off"
    torch_step, _ = _step(field, source, threads)
    del os.environ["NFCORE_KERNELS"]

    def alone() -> None:  # as in a fit: torch's idle threads would hold the cores that kernels need
        with single_thread():
            fused_step()

    pairs = {
        "training step": (alone, torch_step, "samples/s", samples),
        "rendering": (render, _without_kernels(render), "rays/s", len(rays)),
        **_encoding(field, source),
    }
    rows = []
    for what, (fused, plain, unit, count) in pairs.items():
        times = interleaved({"kernels": fused, "torch": plain}, ROUNDS)
        ours, theirs = times["kernels"].median, times["torch"].median
        rows.append(
            {
                "work": what,
                "kernels, ms": round(1e3 * ours, 1),
                "torch, ms": round(1e3 * theirs, 1),
                "unit": unit,
                "kernels": round(count / ours),
                "torch": round(count / theirs),
                "ratio": round(theirs / ours, 2),
                "threads": threads,
            }
        )
    return rows


def _without_kernels(work: Callable[[], object]) -> Callable[[], object]:
    def call() -> None:
        os.environ["NFCORE_KERNELS"] = "off"
        try:
            work()
        finally:
            del os.environ["NFCORE_KERNELS"]

    return call


def _encoding(field: Any, source: Any) -> dict[str, tuple[Callable[[], object], Callable[[], object], str, int]]:
    """Return rendering and training of the guided encoding of ``field``: a view of half as many rays each way."""
    import torch

    from nfcore import plugins, ray_grid
    from nfcore.runtime import single_thread

    cameras = source.views("train").cameras
    encoding = plugins().build("encoding", "nfcore-guided/guided", {}, source.scene)
    encoding.prepare(field, source.scene, cameras)
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
        "encoding, forward": (look, _without_kernels(look), "rays/s", count),
        "encoding, forward and backward": (learn, _without_kernels(learn), "rays/s", count),
    }


def _step(field: Any, source: Any, threads: int) -> tuple[Callable[[], object], int]:
    """Return what takes one training step with always the same rays, and the samples that it takes."""
    import torch

    from nfcore_teachers.pixels import PixelBatches
    from nfcore_teachers.sparse_fit import BLOCK, descent

    generator = torch.Generator().manual_seed(0)
    pixels = (source.views("train").alpha > 0).flatten().nonzero()[:, 0]
    batch = PixelBatches(source.views("train"), pixels, generator, block=BLOCK).draw(RAYS)
    jitter = torch.rand(len(batch.rays), generator=generator)
    taking = descent(field.volume, threads)
    for group in taking.optimizer.param_groups:
        group["lr"] = 0.0  # the field stays as it is: all steps are alike
    _, samples = taking.step(batch, jitter, generator)
    return lambda: taking.step(batch, jitter, generator), samples
