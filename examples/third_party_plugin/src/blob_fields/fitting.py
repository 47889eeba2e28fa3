"""Fitting Gaussians to photos: begin inside the silhouettes, then follow the gradient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore import Budget, Cameras, NfcoreError, Reporter, Views

if TYPE_CHECKING:
    from blob_fields.blobs import Blobs

#: The step size falls exponentially to this share of itself.
FINAL_RATE = 0.05
#: Opacity along a line through the middle of a Gaussian, at first: thin enough to see those behind it.
FIRST_OPACITY = 0.3
#: Candidates for each first place, and the least alpha of a silhouette.
CANDIDATES, SILHOUETTE = 64, 0.5
#: Steps between reports.
REPORT_PERIOD = 10


class BlobFit:
    """One fit: everything that changes from step to step.

    Args:
        teacher: the field; forgets what it learned before.
        views: the photos.
        budget: steps, seconds and seed.

    """

    def __init__(self, teacher: Blobs, views: Views, budget: Budget) -> None:
        self.teacher, self.views, self.budget = teacher, views, budget
        self.device = teacher.places.device
        self.generator = torch.Generator().manual_seed(budget.seed)
        self.pixels = views.counted()
        self.begin()
        rate = teacher.options.learning_rate
        self.optimizer = torch.optim.Adam(
            [
                {"params": [teacher.places], "lr": rate / 3},
                {"params": [teacher.log_radii, teacher.log_densities, teacher.colours], "lr": rate},
                {"params": [teacher.tints], "lr": rate / 3},
            ]
        )
        self.rates = [group["lr"] for group in self.optimizer.param_groups]

    @torch.no_grad()
    def begin(self) -> None:
        """Place grey Gaussians, as large as their number leaves room for."""
        teacher = self.teacher
        low, high = teacher.box.cpu()
        unit = teacher.unit.cpu()
        candidates = low + (high - low) * torch.rand(CANDIDATES * len(teacher.places), 3, generator=self.generator)
        inside = inside_silhouettes(candidates, self.views)
        occupied = float(inside.float().mean()) * float((high - low).prod())
        # Those inside come first; others only where too few are.
        chosen = candidates[inside.float().sort(descending=True, stable=True).indices[: len(teacher.places)]]
        radius = max(0.5 * (occupied / len(chosen)) ** (1 / 3), 0.01 * float(unit))
        density = -math.log(1 - FIRST_OPACITY) / (math.sqrt(2 * math.pi) * radius)
        teacher.places.copy_((chosen - (low + high) / 2) / unit)
        teacher.log_radii.fill_(math.log(radius / float(unit)))
        teacher.log_densities.fill_(math.log(density * float(unit)))
        teacher.colours.zero_()
        teacher.tints.zero_()

    def run(self, reporter: Reporter) -> None:
        """Take all steps of the budget that are left."""
        step, spent = self.restore(reporter.restore())
        clock = self.budget.clock(spent)
        reporter.start(self.budget.steps)
        while (progress := clock.progress(step)) < 1:
            error = self.step(progress)
            step += 1
            if step % REPORT_PERIOD == 0:
                reporter.step(step, psnr=-10 * math.log10(max(error, 1e-10)))
            if reporter.image_due():
                reporter.image("teacher", self.preview())
            reporter.checkpoint(step, lambda done=step: self.state(done, clock.spent))
        self.teacher.zero_grad(set_to_none=True)

    def step(self, progress: float) -> float:
        """Take one optimisation step on random pixels and return their mean squared error."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * FINAL_RATE**progress
        drawn = torch.randint(len(self.pixels), (self.teacher.options.rays_per_step,), generator=self.generator)
        pixels = self.pixels[drawn]
        rays = self.views.cameras.pixel_rays(pixels)
        rgb, _, _ = self.teacher.see(type(rays)(rays.origins.to(self.device), rays.directions.to(self.device)))
        loss = F.mse_loss(rgb, self.views.pixels(pixels).to(self.device))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        error = loss.item()
        if not math.isfinite(error):
            raise NfcoreError(f"the loss of teacher 'blobs' became {error}; lower its learning_rate")
        return error

    def preview(self) -> Tensor:
        """Return the first training view as the Gaussians show it, (height, width, 3) on the CPU."""
        camera = self.views.cameras[0]
        return self.teacher.render_views(camera.to(self.device)).rgb[0].cpu()

    def state(self, step: int, spent: float) -> dict[str, Any]:
        """Return all that ``restore`` needs to go on after ``step`` steps, as if nothing had happened."""
        return {
            "step": step,
            "spent": spent,
            "teacher": dict(self.teacher.state_dict()),
            "optimizer": self.optimizer.state_dict()["state"],
            "generator": self.generator.get_state(),
        }

    def restore(self, state: dict[str, Any] | None) -> tuple[int, float]:
        """Go on from ``state``, or from the start; return the steps done and the seconds spent."""
        if state is None:
            return 0, 0.0
        self.teacher.load_state_dict(state["teacher"])
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
        self.generator.set_state(state["generator"])
        return state["step"], state["spent"]


def inside_silhouettes(points: Tensor, views: Views) -> Tensor:
    """Return (m,) bool: which of ``points`` (m, 3) no photo shows to be empty; all where photos have no alpha."""
    if views.alpha is None:
        return torch.ones(len(points), dtype=torch.bool)
    inside = torch.ones(len(points), dtype=torch.bool)
    for view, silhouette in enumerate(views.silhouettes):
        seen, row, column = project(points, views.cameras[view])
        inside &= ~seen | (silhouette[row, column] > SILHOUETTE)
    return inside


def project(points: Tensor, camera: Cameras) -> tuple[Tensor, Tensor, Tensor]:
    """Return whether one camera sees each of ``points`` (m, 3), and in which pixel: row and column, each (m,)."""
    rotation, centre = camera.poses[0, :, :3], camera.poses[0, :, 3]
    x, y, z = ((points - centre) @ rotation).unbind(1)
    fx, fy, cx, cy = camera.intrinsics[0]
    depth = (-z).clamp(min=1e-6)
    column, row = (cx + fx * x / depth).floor().long(), (cy - fy * y / depth).floor().long()
    seen = (z < 0) & (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    return seen, row.clamp(0, camera.height - 1), column.clamp(0, camera.width - 1)
