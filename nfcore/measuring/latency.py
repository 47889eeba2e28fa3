"""Latency of exports and of torch, at several numbers of threads, in interleaved rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from nfcore.exports.deploy import DeployedLightField
from nfcore.interfaces import SceneModel
from nfcore.interfaces.exporter import Takes
from nfcore.interfaces.reporting import Reporter
from nfcore.measuring.energy import EnergyMeter
from nfcore.measuring.packages import Package, load_for_timing
from nfcore.measuring.peak import FLOATING_POINT_OPERATIONS, matrix_product
from nfcore.measuring.timing import Timing, interleaved, rounds_within
from nfcore.runtime.threads import limited_threads
from nfcore.scene.cameras import Cameras
from nfcore.student.complexity import macs
from nfcore.student.light_field import LightField

#: Labels of the rows of the student and of the teacher in torch.
TORCH: dict[Takes, str] = {"student": "torch", "teacher": "teacher in torch"}
_PEAK = "matrix product"


@dataclass(frozen=True)
class Latency:
    """The latency of one image.

    Args:
        label: the export's label, or the one of torch.
        threads: CPU threads.
        timing: the time of each round.
        share_of_peak: a student's multiply-adds per second, as a fraction in [0, 1] of a matrix product's on as
            many threads. None for a teacher and its exports.
        note: the form in which it ran, where there are several.

    """

    label: str
    threads: int
    timing: Timing
    share_of_peak: float | None
    note: str = ""


@dataclass(frozen=True)
class Latencies:
    """Latencies measured in the same rounds.

    Args:
        rows: one for each export and number of threads, and for each model in torch.
        untimed: exports that can't be timed here, each with the reason.
        peak: floating-point operations per second of a float32 matrix product, by number of threads.
        macs: multiply-adds of one image of the student, in convolutions and matrix products; None if only a
            teacher's exports were measured.

    """

    rows: tuple[Latency, ...]
    untimed: dict[str, str]
    peak: dict[int, float]
    macs: int | None

    def of(self, label: str, threads: int) -> Latency | None:
        """Return the row of one export, or None if it was not timed."""
        return next((row for row in self.rows if (row.label, row.threads) == (label, threads)), None)


@torch.no_grad()
def measure_latency(
    models: Mapping[Takes, SceneModel],
    packages: Sequence[Package],
    *,
    threads: Sequence[int],
    seconds: float = 3.0,
    reporter: Reporter | None = None,
    meter: EnergyMeter | None = None,
) -> Latencies:
    """Time one image of each model in torch and of each package, at the model's first reference camera.

    Every round runs every package on every number of threads once, and a matrix product as the machine's peak; at
    least five rounds after two that warm up, and as many as take ``seconds`` for each.

    Args:
        models: the exported models: the student, the teacher or both.
        packages: their exports.
        threads: numbers of CPU threads.
        seconds: approximate time spent on each package, at each number of threads.
        reporter: called for each round.
        meter: measures the energy of an image.

    """
    reporter = reporter or Reporter()
    camera = {takes: model.cameras[0].to("cpu") for takes, model in models.items()}
    in_torch = {takes: _in_torch(model, camera[takes], max(threads)) for takes, model in models.items()}
    candidates: dict[tuple[str, int], Callable[[], object]] = {}
    untimed: dict[str, str] = {}
    for count in threads:
        candidates[_PEAK, count] = matrix_product(count)
        for takes, (render, _) in in_torch.items():
            candidates[TORCH[takes], count] = partial(_run, render, camera[takes], count)
        for package in packages:
            runner = load_for_timing(package, count)
            if isinstance(runner, str):
                untimed[package.label] = runner
            else:
                candidates[package.label, count] = partial(_run, runner.render, camera[package.takes], count)
    timings = interleaved(candidates, rounds_within(candidates, seconds), reporter, meter)
    peak = {count: FLOATING_POINT_OPERATIONS / timings[_PEAK, count].median for count in threads}
    student = models.get("student")
    work = macs(student) if isinstance(student, LightField) else None
    notes = {TORCH[takes]: form for takes, (_, form) in in_torch.items()}
    of_teacher = {TORCH["teacher"], *(package.label for package in packages if package.takes == "teacher")}

    def share_of_peak(label: str, count: int) -> float | None:
        if work is None or label in of_teacher:
            return None
        return 2 * work / timings[label, count].median / peak[count]

    rows = tuple(
        Latency(label, count, timing, share_of_peak(label, count), notes.get(label, ""))
        for (label, count), timing in timings.items()
        if label != _PEAK
    )
    return Latencies(rows, untimed, peak, work)


def _run(render: Callable[[Tensor, Tensor], Tensor], camera: Cameras, threads: int) -> Tensor:
    with limited_threads(threads):
        return render(camera.poses, camera.intrinsics)


def _in_torch(model: SceneModel, camera: Cameras, threads: int) -> tuple[Callable[[Tensor, Tensor], Tensor], str]:
    """Return a render function of ``model`` in torch and its name; for a student, the faster memory layout."""
    if not isinstance(model, LightField):
        size = (camera.height, camera.width)
        return lambda poses, intrinsics: model.render(Cameras(poses, intrinsics, *size)), ""
    forms = {
        "eager, channels first": DeployedLightField(model),
        "eager, channels last": _channels_last(DeployedLightField(model)),
    }
    timings = interleaved({name: partial(_run, form, camera, threads) for name, form in forms.items()}, rounds=3)
    quicker = min(timings, key=lambda name: timings[name].median)
    return forms[quicker], quicker


def _channels_last(deployed: DeployedLightField) -> DeployedLightField:
    """Convert the network to channels-last memory layout."""
    for module in deployed.image.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    deployed.rays.register_forward_hook(
        lambda module, given, features: features.contiguous(memory_format=torch.channels_last)
    )
    return deployed
