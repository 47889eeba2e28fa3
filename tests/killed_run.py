"""Does one stage of a run in a process of its own, and kills it at a chosen instant. See ``test_killed_runs.py``.

Heavy imports stand at the top: a fork server loads this module once, so that each process costs milliseconds.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

import av  # noqa: F401 - for the fork server
import tiny
import tiny_plugin
import torch

import nfcore
from nfcore.config.resolve import configure
from nfcore.plugin.manager import PluginManager
from nfcore.runs import Artifacts, Run, Scheduler, checkpoints, reporter
from nfcore.runtime import distributed
from nfcore.training import loop as training
from nfcore.ui.console import Console

# With momentum in the optimiser, jitter from the default generator and a running error of tiles.
CHANGES = [
    "teacher.name=patient-sky",
    "teach.steps=20",
    "distill.steps=16",
    "distill.hard=0.5",
    "distill.photos=0.5",
    "student.encoding.jitter=0.05",
    "student.backbone.norm=true",
]


class PatientSky(tiny.Sky):
    """Takes the sky's brightness from one random pixel a step, with a checkpoint after each."""

    def fit(self, source: nfcore.RaySource, budget: nfcore.Budget, reporter: nfcore.Reporter) -> None:
        views = source.views("train")
        ratios = (views.images / tiny.sky(views.cameras.rays().directions)).flatten()
        generator = torch.Generator().manual_seed(budget.seed)
        step, state = 0, reporter.restore()
        if state is not None:
            step = state["step"]
            self.load_state_dict(state["teacher"])
            generator.set_state(state["generator"])
        reporter.start(budget.steps)
        while step < budget.steps:
            pixel = torch.randint(len(ratios), (), generator=generator)
            step += 1
            with torch.no_grad():
                self.brightness.lerp_(ratios[pixel], 1 / step)
            reporter.step(step, brightness=self.brightness.item())
            reporter.checkpoint(step, lambda: self._state(step, generator))  # noqa: B023 - called at once

    def _state(self, step: int, generator: torch.Generator) -> dict[str, object]:
        return {"step": step, "teacher": self.state_dict(), "generator": generator.get_state()}


class Plugin:
    """Offers the patient sky."""

    @staticmethod
    @nfcore.hookimpl
    def nfcore_components():
        yield nfcore.Component("teacher", "patient-sky", "killed_run:PatientSky", level=2)


def manager() -> PluginManager:
    """The tiny components and the patient teacher."""
    return PluginManager([tiny.source(tiny_plugin), tiny.source(Plugin, "patient-dist", "patient")])


def die() -> None:
    """End this process as a power cut would: nothing is closed, nothing caught."""
    os.kill(os.getpid(), signal.SIGKILL)


def do(folder: Path, stage: str, kill_at: int | None, instant: str | None, answer: Connection) -> None:
    """Do ``stage`` of the run in ``folder``, with a checkpoint and a preview whenever one is offered.

    Args:
        folder: the run.
        stage: its stage.
        kill_at: die at this call or return of any function, Python's or C's, in the main thread; None: live.
        instant: one of ``INSTANTS``, for the stage's third checkpoint; None: none of them.
        answer: where the number of calls and returns goes.

    """
    torch.set_num_threads(1)
    checkpoints.LEAST_SECONDS, checkpoints.MOST_SHARE = 0.0, 1e9
    training._REPORT_EVERY, reporter._PREVIEW_SECONDS = 2, 0.0
    if instant:
        INSTANTS[instant](f"{stage}.safetensors")
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == kill_at:
            die()

    with distributed.joined():
        scheduler = Scheduler(Artifacts(Run(folder), manager()), Console(quiet=True))
        sys.setprofile(count)
        scheduler.do(stage)
        sys.setprofile(None)
    answer.send(calls)


def through(folder: Path, stages: Sequence[str], do_stage: Callable[[Path, str], object]) -> dict[str, Any]:
    """Do a run that is never killed; return for each stage the folder before it, after it, and its calls."""
    run = Run.create(folder / "run", configure("tiny", manager(), changes=CHANGES), resume=False)
    known = {}
    for stage in stages:
        before, after = folder / f"before-{stage}", folder / f"after-{stage}"
        shutil.copytree(run.folder, before)
        calls = do_stage(run.folder, stage)
        shutil.copytree(run.folder, after)
        known[stage] = before, after, calls
    return known


def do_together(rank: int, port: int, *arguments: Any) -> None:
    """Do a stage as one of two processes that meet at ``port``; ``arguments`` as of ``do``."""
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test"}
    os.environ |= meeting | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}  # as torchrun does
    do(*arguments)


def _third(name: str, function: Callable[..., object], then: Callable[..., object]) -> Callable[..., object]:
    """Return ``function``, which calls ``then`` instead when it is called for the file ``name`` a third time."""
    seen = []

    def called(path: Path, *arguments: object) -> object:
        if path.name == name:
            seen.append(path)
        return (then if len(seen) == 3 and path.name == name else function)(path, *arguments)

    return called


def _cut(name: str, then: Callable[[], None]) -> None:
    """Call ``then`` when half of a tensor is in the third file ``name`` that is written: its second write."""
    opened = Path.open

    def cut(path: Path, mode: str) -> IO[Any]:
        file = opened(path, mode)
        write, written = file.write, []

        def half(data: Any) -> int:
            written.append(len(data))
            if len(written) == 1:  # the header
                return write(data)
            write(data[: len(data) // 2])
            file.flush()
            then()
            raise AssertionError("it went on")

        file.write = half
        return file

    third = _third(name, opened, cut)

    def called(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> object:
        return third(path, mode) if mode == "wb" else opened(path, mode, *arguments, **options)

    Path.open = called


def _half_written(name: str) -> None:
    _cut(name, die)


def _before_the_rename(name: str) -> None:
    Path.replace = _third(name, Path.replace, lambda *_: die())


def _after_the_rename(name: str) -> None:
    replace = Path.replace

    def then(path: Path, target: Path) -> None:
        replace(path, target)
        die()

    Path.replace = _third(name, replace, then)


def _full_disk(name: str) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    _cut(name, full)


INSTANTS: dict[str, Callable[[str], None]] = {
    "half written": _half_written,
    "before the rename": _before_the_rename,
    "after the rename": _after_the_rename,
    "full disk": _full_disk,
}
