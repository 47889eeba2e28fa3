"""How a stage of a run reports: to the console, to plugins, to ``metrics.jsonl``, previews and checkpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from torch import Tensor

from nfcore.console import Console, ConsoleReporter
from nfcore.files import naming
from nfcore.images import save_png
from nfcore.runs.folder import Run
from nfcore.runs.hooks import RunHooks
from nfcore.states import State, load_state, save_state

_CHECKPOINT_SECONDS = 15.0
_PREVIEW_SECONDS = 20.0


class StageReporter(ConsoleReporter):
    """Reports one stage of a run: to the console, to plugins, to ``metrics.jsonl``, previews and checkpoints.

    Args:
        run: the run.
        stage: the stage's name.
        console: what a person sees.
        hooks: the plugins that follow the run, if any may.

    """

    def __init__(self, run: Run, stage: str, console: Console, hooks: RunHooks | None = None) -> None:
        super().__init__(console, stage)
        self.run = run
        self.hooks = hooks
        self.metrics = run.folder / "metrics.jsonl"
        self.began = self.saved = self.shown = time.monotonic()
        # A stage may have parts that each count from 1; for plugins the steps of all of them are added up.
        self.before = self.total = self.done = 0

    @property
    def seconds(self) -> float:
        """Wall time that the stage has taken, with what it had taken before it was interrupted."""
        return time.monotonic() - self.began

    def start(self, total: int, unit: str = "step") -> None:  # noqa: D102
        super().start(total, unit)
        self.before, self.total = self.done, self.done + total

    def step(self, step: int, **scalars: float) -> None:  # noqa: D102
        super().step(step, **scalars)
        self.done = self.before + step
        line = json.dumps({"stage": self.stage, "step": step} | {k: float(f"{v:.8g}") for k, v in scalars.items()})
        with naming(self.metrics), self.metrics.open("a") as file:
            file.write(line + "\n")
        if self.hooks:
            self.hooks.call("nfcore_step", self.stage, step=self.done, total=self.total, scalars=scalars)

    def image(self, name: str, image: Tensor) -> None:  # noqa: D102
        save_png(self.run.folder / "previews" / f"{name}.png", image)
        if self.hooks:
            self.hooks.call("nfcore_images", self.stage, step=self.done, name=name, image=image.detach())

    def image_due(self) -> bool:  # noqa: D102
        due = time.monotonic() - self.shown > _PREVIEW_SECONDS
        if due:
            self.shown = time.monotonic()
        return due

    def restore(self) -> State | None:  # noqa: D102
        path = self.run.checkpoint_of(self.stage)
        if not path.exists():
            return None
        saved = load_state(path)
        with self.metrics.open("ab") as file:
            # What was logged after the checkpoint will be logged again.
            file.truncate(min(saved["metrics_bytes"], file.tell()))
        self.began -= saved["seconds"]
        self.note(f"{self.stage}: goes on from step {saved['step']}")
        return saved["state"]

    def checkpoint(self, step: int, state: Callable[[], State]) -> None:  # noqa: D102
        if time.monotonic() - self.saved < _CHECKPOINT_SECONDS:
            return
        logged = self.metrics.stat().st_size if self.metrics.exists() else 0
        saved = {"step": step, "metrics_bytes": logged, "seconds": self.seconds, "state": state()}
        save_state(self.run.checkpoint_of(self.stage), saved)
        self.saved = time.monotonic()
