"""The reporter of a run's stage: console, plugins, ``metrics.jsonl``, previews and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor

from nfcore.errors import UserError
from nfcore.io.images import save_png
from nfcore.io.tensors import State
from nfcore.runs.checkpoints import Checkpoints, doubts
from nfcore.runs.folder import Run
from nfcore.runs.hooks import RunHooks
from nfcore.runs.metrics_log import MetricsLog
from nfcore.runtime import signals
from nfcore.ui.console import Console, ConsoleReporter

_PREVIEW_SECONDS = 20.0


class StageReporter(ConsoleReporter):
    """Reports one stage of a run: to the console, to plugins, to ``metrics.jsonl``, previews and checkpoints.

    Rows that an earlier attempt at the stage logged after its checkpoint are removed: they will be logged again.

    Args:
        run: the run.
        stage: the stage's name.
        console: the terminal.
        hooks: the plugins that observe the run, if any.

    """

    def __init__(self, run: Run, stage: str, console: Console, hooks: RunHooks | None = None) -> None:
        super().__init__(console, stage)
        self.run = run
        self.hooks = hooks
        self.log = MetricsLog(run.metrics_file, stage)
        self.checkpoints = Checkpoints(run.checkpoint_file(stage))
        self.began = self.shown = time.monotonic()
        self.restoring = self.has_checkpoints = False
        # A stage may have parts that each count from 1; plugins get steps that count through all of them.
        self.before = self.total = self.done = 0
        if not self.checkpoints.path.exists():
            self.log.keep(0)

    @property
    def seconds(self) -> float:
        """Wall time of the stage, including the time before interruptions."""
        return time.monotonic() - self.began

    def start(self, total: int, unit: str = "step") -> None:  # noqa: D102
        self.restoring = False
        super().start(total, unit)
        self.before, self.total = self.done, self.done + total

    def step(self, step: int, **scalars: float) -> None:  # noqa: D102
        super().step(step, **scalars)
        self.done = self.before + step
        self.log.append(step, scalars)
        if self.hooks:
            self.hooks.call("nfcore_step", self.stage, step=self.done, total=self.total, scalars=scalars)
        if not self.has_checkpoints:  # else the next one is saved first
            signals.check()

    def image(self, name: str, image: Tensor) -> None:  # noqa: D102
        super().image(name, image)
        save_png(self.run.previews_folder / f"{name}.png", image)
        if self.hooks:
            self.hooks.call("nfcore_images", self.stage, step=self.done, name=name, image=image.detach())

    def image_due(self) -> bool:  # noqa: D102
        due = time.monotonic() - self.shown > _PREVIEW_SECONDS
        if due:
            self.shown = time.monotonic()
        return due

    def restore(self) -> State | None:  # noqa: D102
        saved = self.checkpoints.load()
        if saved is None:
            return None
        self.log.keep(saved["rows"])
        self.began -= saved["seconds"]
        self.shown -= saved["since_preview"]
        self.note(f"{self.stage}: resumes from step {saved['step']}")
        if changed := doubts(saved):
            self.note(
                f"{self.stage}: its weights may differ in their last bits from an uninterrupted run's: {changed}"
            )
        self.restoring = True
        return saved["state"]

    @contextmanager
    def resuming(self) -> Iterator[None]:
        """Turn an error between ``restore`` and ``start`` into one that says that the checkpoint does not fit.

        Raises:
            UserError: nfcore and its plugins, in their present versions, can't resume from the checkpoint.

        """
        try:
            yield
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            if not self.restoring:
                raise
            raise UserError(
                f"{self.checkpoints.path}: nfcore and its plugins as they are now can't resume from it "
                f"({str(error).splitlines()[0]}): 'nfcore {self.stage} {self.run.folder} --again' starts again"
            ) from error

    def checkpoint(self, step: int, state: Callable[[], State]) -> None:  # noqa: D102
        self.has_checkpoints = True
        if self.checkpoints.due() or signals.received():
            self.checkpoints.save(lambda: self._saved(step, state()))
        signals.check()

    def _saved(self, step: int, state: State) -> dict[str, State]:
        self.log.sync()
        since_preview = time.monotonic() - self.shown
        return {
            "step": step,
            "rows": self.log.rows,
            "seconds": self.seconds,
            "since_preview": since_preview,
            "state": state,
        }
