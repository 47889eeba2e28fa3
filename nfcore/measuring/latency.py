"""Latency: exports of one student and torch itself, on one and on several threads, in interleaved rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from nfcore.exports.deploy import DeployedLightField
from nfcore.interfaces.reporting import Reporter
from nfcore.measuring.packages import Package, load_for_timing
from nfcore.measuring.peak import FLOATING_POINT_OPERATIONS, matrix_product
from nfcore.measuring.timing import Timing, interleaved, rounds_within
from nfcore.runtime.threads import limited_threads
from nfcore.scene.cameras import Cameras
from nfcore.student.complexity import macs
from nfcore.student.light_field import LightField

#: What the rows of torch are called.
TORCH = "torch"
_PEAK = "matrix product"


@dataclass(frozen=True)
class Latency:
    """What one image takes.

    Args:
        label: the export's, or ``torch``.
        threads: CPU threads.
        timing: of each round.
        share_of_peak: its multiply-adds a second, of those of a matrix product on as many threads; in [0, 1].
        note: in which form it ran, where there is a choice.

    """

    label: str
    threads: int
    timing: Timing
    share_of_peak: float
    note: str = ""


@dataclass(frozen=True)
class Latencies:
    """What was measured side by side.

    Args:
        rows: one for each export and number of threads, and for torch.
        untimed: exports that have no time here, each with the reason.
        peak: floating-point operations a second of a float32 matrix product, by number of threads.
        macs: multiply-adds of one image: those of convolutions and matrix products.

    """

    rows: tuple[Latency, ...]
    untimed: dict[str, str]
    peak: dict[int, float]
    macs: int

    def of(self, label: str, threads: int) -> Latency | None:
        """Return the row of one export, or None where it has no time."""
        return next((row for row in self.rows if (row.label, row.threads) == (label, threads)), None)


@torch.no_grad()
def measure_latency(
    student: LightField,
    packages: Sequence[Package],
    *,
    threads: Sequence[int],
    seconds: float = 3.0,
    reporter: Reporter | None = None,
) -> Latencies:
    """Time one image of ``student`` in torch and in each package, at its first reference camera.

    Every round runs every package on every number of threads once, and a matrix product as the machine's peak; at
    least five rounds after two that warm up, and as many as take ``seconds`` for each.

    Args:
        student: the student that was exported.
        packages: its exports.
        threads: numbers of CPU threads.
        seconds: about how long each package is run on each number of threads.
        reporter: told of each round.

    """
    reporter = reporter or Reporter()
    camera = student.cameras[0].to("cpu")
    candidates: dict[tuple[str, int], Callable[[], object]] = {}
    untimed: dict[str, str] = {}
    in_torch, form = _torch_module(student, camera, max(threads))
    for count in threads:
        candidates[_PEAK, count] = matrix_product(count)
        candidates[TORCH, count] = partial(_run, in_torch, camera, count)
        for package in packages:
            runner = load_for_timing(package, count)
            if isinstance(runner, str):
                untimed[package.label] = runner
            else:
                candidates[package.label, count] = partial(_run, runner.render, camera, count)
    timings = interleaved(candidates, rounds_within(candidates, seconds), reporter)
    peak = {count: FLOATING_POINT_OPERATIONS / timings[_PEAK, count].median for count in threads}
    work = macs(student)
    rows = tuple(
        Latency(
            label,
            count,
            timing,
            2 * work / timing.median / peak[count],
            form if label == TORCH else "",
        )
        for (label, count), timing in timings.items()
        if label != _PEAK
    )
    return Latencies(rows, untimed, peak, work)


def _run(render: Callable[[Tensor, Tensor], Tensor], camera: Cameras, threads: int) -> Tensor:
    with limited_threads(threads):
        return render(camera.poses, camera.intrinsics)


def _torch_module(student: LightField, camera: Cameras, threads: int) -> tuple[nn.Module, str]:
    """Return the student as exporters get it, in the memory layout that is quicker here, and its name."""
    forms = {
        "eager, channels first": DeployedLightField(student),
        "eager, channels last": _channels_last(DeployedLightField(student)),
    }
    timings = interleaved({name: partial(_run, form, camera, threads) for name, form in forms.items()}, rounds=3)
    quicker = min(timings, key=lambda name: timings[name].median)
    return forms[quicker], quicker


def _channels_last(deployed: DeployedLightField) -> DeployedLightField:
    """Let the network's images lie in memory with the channels of a pixel side by side."""
    for module in deployed.image.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    deployed.rays.register_forward_hook(
        lambda module, given, features: features.contiguous(memory_format=torch.channels_last)
    )
    return deployed
