"""Fitting the sparse voxel field to photos: carve, then optimise while the grid grows finer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import Budget, Cameras, NfcoreError, Reporter, Views
from nfcore.states import State
from nfcore_teachers.pixels import PixelBatches
from nfcore_teachers.rendering import render_rays
from nfcore_teachers.silhouettes import silhouette_pixels

if TYPE_CHECKING:
    from nfcore_teachers.voxels import Voxels

#: Voxels along the longest side at first: a coarse grid settles the shape in few steps.
FIRST_RESOLUTION = 64
#: Shares of the budget after which the grid gets finer: to the geometric mean of first and final, then final.
GROWTH = (0.25, 0.5)
#: The step size stays for this share of the budget, then falls exponentially to FINAL_RATE of itself.
FLAT, FINAL_RATE, WARM_UP_STEPS = 0.15, 0.02, 20
#: Adam (Kingma and Ba 2015) with a short memory of squares, as what a voxel sees changes fast; as in Instant-NGP,
#: an epsilon small enough that rarely seen voxels move as far as others.
BETAS, EPSILON = (0.9, 0.99), 1e-15
#: Occupancy: steps between updates, the first of them, and the share of cells asked, all while the field is young.
OCCUPANCY_PERIOD, OCCUPANCY_FIRST, OCCUPANCY_SHARE, YOUNG = 16, 64, 0.3, 200
#: Rays of the first step, and the bounds within which their number adapts.
FIRST_RAYS, LEAST_RAYS, MOST_RAYS = 2048, 256, 16384
#: Steps between reports, memory of the reported error, and the longer side of a preview in pixels.
REPORT_PERIOD, ERROR_MEMORY, PREVIEW_SIZE = 10, 0.98, 200


class VoxelFit:
    """One fit of one field: everything that changes from step to step.

    Args:
        teacher: the field; forgets what it learned before.
        views: the photos.
        budget: steps, seconds and seed.

    Raises:
        UserError: the photos' silhouettes have nothing in common.

    """

    def __init__(self, teacher: Voxels, views: Views, budget: Budget) -> None:
        self.teacher, self.views, self.budget = teacher, views, budget
        self.options = teacher.options
        self.device = teacher.march_step.device
        self.generator = torch.Generator().manual_seed(budget.seed)
        height, width = views.cameras.height, views.cameras.width
        self.resolution = self.options.resolution or default_resolution(max(height, width))
        first = min(FIRST_RESOLUTION, self.resolution)
        self.resolutions = (first, round(math.sqrt(first * self.resolution)), self.resolution)
        teacher.begin(self.resolution, self.generator)

        pixels = None
        if views.alpha is not None:
            cameras, alpha = views.cameras.to(self.device), views.alpha.to(self.device)
            teacher.occupancy.carve(cameras, alpha)
            pixels = silhouette_pixels(teacher.occupancy, cameras, alpha).cpu()
        self.pixels = PixelBatches(views, pixels, self.generator)
        self.rays = FIRST_RAYS
        self.growths = 0
        self.error: float | None = None
        self.rebuild()

    def run(self, reporter: Reporter) -> None:
        """Take all steps of the budget that are left."""
        step, spent = self.restore(reporter.restore())
        clock = self.budget.clock(spent)
        reporter.start(self.budget.steps)
        while (progress := clock.progress(step)) < 1:
            if self.growths < len(GROWTH) and progress >= GROWTH[self.growths]:
                self.growths += 1
                self.rebuild()
            self.step(step, progress)
            step += 1
            if step >= OCCUPANCY_FIRST and step % OCCUPANCY_PERIOD == 0:
                self.update_occupancy(step)
            if step % REPORT_PERIOD == 0:
                reporter.step(step, psnr=self.psnr, rays=self.rays)
            if reporter.image_due():
                reporter.image("teacher", self.preview())
            reporter.checkpoint(step, lambda done=step: self.state(done, clock.spent))  # type: ignore[misc]
        self.teacher.zero_grad(set_to_none=True)

    def rebuild(self) -> None:
        """Give the grid its next resolution and begin to optimise the new parameters."""
        teacher = self.teacher
        teacher.grid.rebuild(self.resolutions[self.growths], teacher.occupancy, 0.0, self.generator)
        self.new_optimizer()

    def new_optimizer(self) -> None:
        """Optimise the parameters and march through the occupancy that the teacher has now."""
        teacher, rate = self.teacher, self.options.learning_rate
        network = [*teacher.hidden_layer.parameters(), *teacher.colour_layer.parameters()]
        groups = [
            {"params": [teacher.grid.density], "lr": rate},
            {"params": [teacher.grid.features], "lr": rate / 2},
            {"params": network, "lr": self.options.network_learning_rate},
        ]
        self.optimizer = torch.optim.Adam(groups, betas=BETAS, eps=EPSILON, fused=True)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.marcher = teacher.marcher()

    def step(self, step: int, progress: float) -> None:
        """Take one optimisation step: mean squared error of a batch of pixels (NeRF eq. 6, one network)."""
        scale = FINAL_RATE ** (max(0.0, progress - FLAT) / (1 - FLAT)) * min(1.0, (step + 1) / WARM_UP_STEPS)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * scale
        rays, colours = self.pixels.draw(self.rays)
        jitter = torch.rand(len(rays), generator=self.generator)
        rays = type(rays)(rays.origins.to(self.device), rays.directions.to(self.device))
        seen = render_rays(self.teacher, self.marcher, self.teacher.domain, rays, jitter.to(self.device))
        loss = F.mse_loss(seen.rgb, colours.to(self.device))
        if seen.samples:
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        self.note_error(loss.item())
        # The square root damps: the next batch sees other parts of the scene.
        adapted = self.rays * math.sqrt(self.options.samples_per_step / max(1, seen.samples))
        self.rays = int(min(MOST_RAYS, max(LEAST_RAYS, adapted)))

    def note_error(self, error: float) -> None:
        """Smooth the batch's error; pixels that are never drawn are background, and right."""
        if not math.isfinite(error):
            raise NfcoreError(f"the teacher's loss became {error}; lower learning_rate ({self.rates[0]})")
        error *= len(self.pixels) / len(self.pixels.colours)
        self.error = error if self.error is None else ERROR_MEMORY * self.error + (1 - ERROR_MEMORY) * error

    @property
    def psnr(self) -> float:
        """Smoothed PSNR of the training views, dB."""
        return -10 * math.log10(max(self.error or 1.0, 1e-10))

    @torch.no_grad()
    def update_occupancy(self, step: int) -> None:
        """Find out anew which cells are occupied."""
        teacher = self.teacher
        share = 1.0 if step < YOUNG else OCCUPANCY_SHARE
        teacher.occupancy.update(
            lambda points: teacher.density(points)[0],
            self.marcher.step,
            self.options.prune_threshold,
            share,
            self.generator,
        )
        self.marcher = teacher.marcher()

    def preview(self) -> Tensor:
        """Return the first training view as the field sees it, (height, width, 3) on the CPU."""
        cameras = self.views.cameras[0]
        scale = min(1.0, PREVIEW_SIZE / max(cameras.height, cameras.width))
        height, width = round(cameras.height * scale), round(cameras.width * scale)
        small = Cameras(cameras.poses, cameras.intrinsics * scale, height, width)
        rgb = self.teacher.render(small.to(self.device).rays().flat()).rgb
        return rgb.view(height, width, 3).cpu()

    def state(self, step: int, spent: float) -> State:
        """Return all that ``restore`` needs to go on after ``step`` steps, as if nothing had happened."""
        occupancy = self.teacher.occupancy
        return {
            "step": step,
            "spent": spent,
            "teacher": dict(self.teacher.state_dict()),
            "opacity": occupancy.opacity,
            "candidates": occupancy.candidates,
            "optimizer": self.optimizer.state_dict()["state"],
            "generator": self.generator.get_state(),
            "pixels": self.pixels.state(),
            "rays": self.rays,
            "growths": self.growths,
            "error": self.error,
        }

    def restore(self, state: State | None) -> tuple[int, float]:
        """Go on from ``state``, or from the start; return the steps done and the seconds spent."""
        if state is None:
            return 0, 0.0
        self.teacher.load_state_dict(state["teacher"])
        occupancy = self.teacher.occupancy
        occupancy.opacity = state["opacity"].to(self.device)
        occupancy.candidates = state["candidates"].to(self.device)
        self.growths, self.rays, self.error = state["growths"], state["rays"], state["error"]
        self.new_optimizer()
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
        self.generator.set_state(state["generator"])
        self.pixels.restore(state["pixels"])
        return state["step"], state["spent"]


def default_resolution(image_size: int) -> int:
    """Return the voxels that suit photos whose longer side is ``image_size`` pixels: 96 for 100, 128 for 200.

    Those two were measured on lego; between and beyond, a power law through them, in multiples of 8.
    """
    voxels: int = 8 * round(96 / 8 * (image_size / 100) ** 0.4)
    return min(512, max(16, voxels))
