"""The fit of voxels and network to photos, step by step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from nfcore import Budget, Views
from nfcore.io import State
from nfcore.kernels import Unavailable, thread_count
from nfcore.runtime import single_thread
from nfcore_snerg.descent import Weights, descent
from nfcore_snerg.pixels import PixelBatches
from nfcore_snerg.stages import StageReporter
from nfcore_snerg.visibility import visible
from nfcore_snerg.voxels import fitted_of, premultiplied

#: The step size rises for some steps, then falls exponentially to FINAL_RATE of itself.
WARM_UP_STEPS, FINAL_RATE = 20, 0.02
#: Rays of the first step, and the least of any.
FIRST_RAYS, LEAST_RAYS = 2048, 256
REPORT_PERIOD, ERROR_MEMORY, PREVIEW_SIZE = 10, 0.98, 200


class VoxelFit:
    """One fit of the voxels that a teacher holds.

    Args:
        teacher: a ``fitting.Fitted``.
        views: the photos, on the CPU.
        budget: of this stage.
        reporter: of this stage.

    """

    def __init__(self, teacher: Any, views: Views, budget: Budget, reporter: StageReporter) -> None:
        self.teacher, self.views, self.budget, self.reporter = teacher, views, budget, reporter
        self.generator = torch.Generator().manual_seed(budget.seed)
        options, state, kept = teacher.options, reporter.restore(), reporter.kept
        if kept is None or state is None:
            renderer = teacher.renderer(reporter)
            grid, voxels = renderer.atlas.grid, renderer.atlas.voxels
            wanted = visible(renderer, views.cameras)[1]
            kept = {"resolution": max(grid.shape), "voxels": voxels, "wanted": wanted}
            fitted = fitted_of(teacher.table, grid)
        else:
            grid, fitted = teacher.grid(kept["resolution"]), state["fitted"].clone()
            teacher.store(grid, kept["voxels"], premultiplied(fitted[1:], grid))
            with torch.no_grad():
                teacher.network.weights.copy_(state["weights"])
        reporter.kept = kept
        self.renderer = teacher.renderer(reporter)
        self.batches = PixelBatches(views, kept["wanted"], self.generator)
        weights = Weights(options.alpha_weight, options.opacity_weight)
        self.descent = descent(self.renderer, fitted, weights, thread_count())
        self.done, self.spent, self.rays = 0, 0.0, FIRST_RAYS
        self.error: float | None = None
        if state is not None:
            self.resume(state)

    def run(self) -> None:
        """Take all steps that are left."""
        clock, reporter = self.budget.clock(self.spent), self.reporter
        if isinstance(self.renderer.kernels, Unavailable):
            reporter.note(self.renderer.kernels.reason)
        # Torch's idle threads would wait for work on the cores that kernels need.
        with single_thread():
            while (progress := clock.progress(self.done)) < 1 and len(self.batches):
                self.step(progress)
                if self.done % REPORT_PERIOD == 0:
                    psnr = -10 * math.log10(max(self.error or 1.0, 1e-10))
                    reporter.step(self.done, psnr=psnr, rays=self.rays)
                if reporter.image_due():
                    reporter.image("teacher", self.preview())
                reporter.checkpoint(self.done, lambda: self.state(clock.spent))

    def step(self, progress: float) -> None:
        """Take one step; the number of rays adapts to the samples that it should take."""
        options = self.teacher.options
        scale = FINAL_RATE**progress * min(1.0, (self.done + 1) / WARM_UP_STEPS)
        pixels = self.batches.draw(self.rays)
        jitter = torch.rand(len(pixels.rays), generator=self.generator)
        rates = options.learning_rate * scale, options.network_learning_rate * scale
        error, samples = self.descent.step(pixels, jitter, rates)
        # Pixels that are never drawn are background, and right.
        error *= self.batches.share
        self.error = error if self.error is None else ERROR_MEMORY * self.error + (1 - ERROR_MEMORY) * error
        adapted = self.rays * math.sqrt(options.samples_per_step / max(1, samples))
        self.rays = int(min(options.samples_per_step, max(LEAST_RAYS, adapted)))
        self.done += 1

    def preview(self) -> Tensor:
        """Return the first training view as the teacher sees it."""
        image: Tensor = self.teacher.render_views(self.views.cameras[0].shrunk(PREVIEW_SIZE)).rgb[0]
        return image

    def state(self, spent: float) -> State:
        """Return all that ``resume`` needs, next to what the reporter keeps."""
        return {
            "fitted": self.descent.fitted.detach(),
            "weights": self.renderer.network.weights.detach(),
            "descent": self.descent.state(),
            "batches": self.batches.state(),
            "generator": self.generator.get_state(),
            "done": self.done,
            "spent": spent,
            "rays": self.rays,
            "error": self.error,
        }

    def resume(self, state: State) -> None:
        """Continue from ``state``, as if nothing had happened."""
        self.descent.restore(state["descent"])
        self.batches.restore(state["batches"])
        self.generator.set_state(state["generator"])
        self.done, self.spent = state["done"], state["spent"]
        self.rays, self.error = state["rays"], state["error"]
