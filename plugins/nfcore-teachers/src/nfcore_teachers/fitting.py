"""A fit, step by step: the clock, the reports, the previews and the checkpoints, whatever a step may be."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from nfcore import Budget, NfcoreError, Reporter, Views
from nfcore.io import State
from nfcore_teachers.exposures import Exposures
from nfcore_teachers.pixels import PixelBatches, Pixels

#: Steps between reports, memory of the reported error, and the longer side of a preview in pixels.
REPORT_PERIOD, ERROR_MEMORY, PREVIEW_SIZE = 10, 0.98, 200


class DivergedError(NfcoreError):
    """A step that would leave weights that are no numbers; the step was not taken."""


class Fit(ABC):
    """One fit of one teacher to photos: everything that changes from step to step.

    Args:
        teacher: what is fitted, on the device that it is fitted on; its options are ``PhotoOptions``.
        views: the photos.
        budget: steps, seconds and seed.
        generator: seeded with the budget's seed; draws everything random.
        pixels: (m,) int64, the pixels to train on, as linear indices into (n, height, width); None for all.
        block: pixels are drawn in squares of so many along each side.
        threads: so many read them.

    Attributes:
        optimizer: set by the fit itself, and replaced where parameters are.

    """

    optimizer: torch.optim.Optimizer

    def __init__(
        self,
        teacher: Any,
        views: Views,
        budget: Budget,
        generator: torch.Generator,
        pixels: Tensor | None = None,
        block: int = 1,
        threads: int = 1,
    ) -> None:
        self.teacher, self.views, self.budget = teacher, views, budget
        self.generator = generator
        self.device = next(teacher.parameters()).device
        self.pixels = PixelBatches(views, pixels, generator, self.device, block, threads)
        wanted = teacher.options.per_photo_exposure
        self.exposures = Exposures(self.pixels.views, teacher.scene.background, wanted)
        self.error: float | None = None

    @abstractmethod
    def step(self, step: int, progress: float) -> float:
        """Take step number ``step`` (from 0) at ``progress`` in [0, 1) of the budget; return its squared error."""

    def figures(self) -> dict[str, float]:
        """Return what to report besides PSNR; nothing by default."""
        return {}

    def particulars(self) -> dict[str, State]:
        """Return what ``resume`` needs besides weights, optimiser and pixels; nothing by default."""
        return {}

    def resume(self, state: State) -> None:  # noqa: B027 - nothing is to be done by default
        """Continue from ``particulars``; the weights are restored before, the optimiser after."""

    def run(self, reporter: Reporter) -> None:
        """Take all steps of the budget that are left.

        Raises:
            NfcoreError: the loss is no longer a number.

        """
        step, spent = self.restore(reporter.restore())
        clock = self.budget.clock(spent)
        reporter.start(self.budget.steps)
        while (progress := clock.progress(step)) < 1:
            if self.exposures.due(progress, step):
                self.exposures.estimate(self.teacher)
            try:
                error = self.step(step, progress)
            except DivergedError as diverged:
                if not step:
                    raise
                reporter.note(f"{diverged}; the fit ends after {step} steps with the weights from before")
                break
            self.note_error(error)
            step += 1
            if step % REPORT_PERIOD == 0:
                reporter.step(step, psnr=self.psnr, **self.figures())
            if reporter.image_due():
                reporter.image("teacher", self.preview())
            reporter.checkpoint(step, lambda done=step: self.state(done, clock.spent))  # type: ignore[misc]
        self.teacher.zero_grad(set_to_none=True)

    def draw(self, n: int) -> Pixels:
        """Return the next ``n`` pixels on the teacher's device, without their photos' exposure."""
        return self.exposures.removed(self.pixels.draw(n))

    def random(self, *shape: int) -> Tensor:
        """Return random numbers in [0, 1), drawn on the CPU so that they are the same on every device."""
        return torch.rand(shape, generator=self.generator).to(self.device)

    def descend(self, loss: Tensor, rates: list[float]) -> None:
        """Take the optimiser's step down ``loss`` with these step sizes, one for each group of parameters."""
        self.set_rates(rates)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def set_rates(self, rates: list[float]) -> None:
        """Set the step sizes, one for each group of parameters."""
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def note_error(self, error: float) -> None:
        """Smooth the batch's error; pixels that are never drawn are background, and right."""
        if not math.isfinite(error):
            raise NfcoreError(f"the teacher's loss became {error}; lower its learning_rate")
        error *= len(self.pixels) / self.pixels.total
        self.error = error if self.error is None else ERROR_MEMORY * self.error + (1 - ERROR_MEMORY) * error

    @property
    def psnr(self) -> float:
        """Smoothed PSNR of the training views, dB."""
        return -10 * math.log10(max(self.error or 1.0, 1e-10))

    def preview(self) -> Tensor:
        """Return the first training view as the teacher sees it, (height, width, 3) on the CPU."""
        camera = self.views.cameras[0].shrunk(PREVIEW_SIZE)
        shown: Tensor = self.teacher.render_views(camera.to(self.device)).rgb[0].cpu()
        return shown

    def state(self, step: int, spent: float) -> State:
        """Return all that ``restore`` needs to go on after ``step`` steps, as if nothing had happened."""
        return {
            "step": step,
            "spent": spent,
            "teacher": dict(self.teacher.state_dict()),
            "optimizer": self.optimizer.state_dict()["state"],
            "generator": self.generator.get_state(),
            "pixels": self.pixels.state(),
            "exposures": self.exposures.state(),
            "error": self.error,
            "particulars": self.particulars(),
        }

    def restore(self, state: State | None) -> tuple[int, float]:
        """Resume from ``state``, or start; return the steps done and the seconds spent."""
        if state is None:
            return 0, 0.0
        self.teacher.load_state_dict(state["teacher"])
        self.resume(state["particulars"])
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
        self.generator.set_state(state["generator"].cpu())
        self.pixels.restore(state["pixels"])
        self.exposures.restore(state["exposures"])
        self.error = state["error"]
        return state["step"], state["spent"]
