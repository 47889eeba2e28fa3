"""Fitting Gaussians to photos: start inside the silhouettes, then follow the gradient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore import Budget, Cameras, NfcoreError, Reporter, Views

if TYPE_CHECKING:
    from blob_fields.blobs import Blobs

#: The learning rate decays exponentially to this fraction.
FINAL_RATE = 0.05
#: Initial opacity along a line through the middle of a Gaussian: low enough to see those behind it.
FIRST_OPACITY = 0.3
#: Candidates for each initial position, and the least alpha of a silhouette.
CANDIDATES, SILHOUETTE = 64, 0.5
#: Steps between reports.
REPORT_PERIOD = 10


class BlobFit:
    """The state of one fit, which changes from step to step.

    Args:
        teacher: the field; initialised again.
        views: the photos.
        budget: steps, seconds and seed.

    """

    def __init__(self, teacher: Blobs, views: Views, budget: Budget) -> None:
        self.teacher, self.views, self.budget = teacher, views, budget
        self.device = teacher.places.device
        self.generator = torch.Generator().manual_seed(budget.seed)
        self.pixels = views.counted()
        self.initialise()
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
    def initialise(self) -> None:
        """Place grey Gaussians, with a size that follows from their number."""
        teacher = self.teacher
        low, high = teacher.box.cpu()
        unit = teacher.unit.cpu()
        candidates = low + (high - low) * torch.rand(CANDIDATES * len(teacher.places), 3, generator=self.generator)
        inside = inside_silhouettes(candidates, self.views)
        occupied = float(inside.float().mean()) * float((high - low).prod())
        # Those inside come first; others are used only if there are too few.
        chosen = candidates[inside.float().sort(descending=True, stable=True).indices[: len(teacher.places)]]
        radius = max(0.5 * (occupied / len(chosen)) ** (1 / 3), 0.01 * float(unit))
        density = -math.log(1 - FIRST_OPACITY) / (math.sqrt(2 * math.pi) * radius)
        teacher.places.copy_((chosen - (low + high) / 2) / unit)
        teacher.log_radii.fill_(math.log(radius / float(unit)))
        teacher.log_densities.fill_(math.log(density * float(unit)))
        teacher.colours.zero_()
        teacher.tints.zero_()

    def run(self, reporter: Reporter) -> None:
        """Take all remaining steps of the budget."""
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
        """Return the Gaussians' image of the first training view, (height, width, 3) on the CPU."""
        camera = self.views.cameras[0]
        return self.teacher.render_views(camera.to(self.device)).rgb[0].cpu()

    def state(self, step: int, spent: float) -> dict[str, Any]:
        """Return all that ``restore`` needs to resume after ``step`` steps without any difference."""
        return {
            "step": step,
            "spent": spent,
            "teacher": dict(self.teacher.state_dict()),
            "optimizer": self.optimizer.state_dict()["state"],
            "generator": self.generator.get_state(),
        }

    def restore(self, state: dict[str, Any] | None) -> tuple[int, float]:
        """Resume from ``state``, or start; return the finished steps and the seconds spent."""
        if state is None:
            return 0, 0.0
        self.teacher.load_state_dict(state["teacher"])
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
        self.generator.set_state(state["generator"])
        return state["step"], state["spent"]


def inside_silhouettes(points: Tensor, views: Views) -> Tensor:
    """Return (m,) bool: which ``points`` (m, 3) are inside all silhouettes; all if photos have no alpha."""
    if views.alpha is None:
        return torch.ones(len(points), dtype=torch.bool)
    inside = torch.ones(len(points), dtype=torch.bool)
    for view, silhouette in enumerate(views.silhouettes):
        seen, row, column = project(points, views.cameras[view])
        inside &= ~seen | (silhouette[row, column] > SILHOUETTE)
    return inside


def project(points: Tensor, camera: Cameras) -> tuple[Tensor, Tensor, Tensor]:
    """Return whether one camera sees each of ``points`` (m, 3), and its pixel's row and column, each (m,)."""
    rotation, centre = camera.poses[0, :, :3], camera.poses[0, :, 3]
    x, y, z = ((points - centre) @ rotation).unbind(1)
    fx, fy, cx, cy = camera.intrinsics[0]
    depth = (-z).clamp(min=1e-6)
    column, row = (cx + fx * x / depth).floor().long(), (cy - fy * y / depth).floor().long()
    seen = (z < 0) & (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    return seen, row.clamp(0, camera.height - 1), column.clamp(0, camera.width - 1)
