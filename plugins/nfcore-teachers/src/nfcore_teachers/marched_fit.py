"""Fitting a field that is marched through its occupancy grid: carve, optimise, look again what is occupied."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from nfcore import Budget, Teacher, Views
from nfcore.geometry import Domain, shrunk_silhouettes
from nfcore.io import State
from nfcore_teachers.descent import Descent
from nfcore_teachers.fitting import Fit
from nfcore_teachers.marching import Marcher
from nfcore_teachers.occupancy import OccupancyGrid, dilated
from nfcore_teachers.rendering import sample, weigh
from nfcore_teachers.silhouettes import silhouette_pixels

#: The step size stays for this share of the budget, then falls exponentially to FINAL_RATE of itself.
FLAT, FINAL_RATE, WARM_UP_STEPS = 0.15, 0.02, 20
#: Occupancy: steps between updates, the first of them, and the share of cells asked, all while the field is young.
OCCUPANCY_PERIOD, OCCUPANCY_FIRST, OCCUPANCY_SHARE, YOUNG = 16, 64, 0.3, 200
#: Rays of the first step, and the bounds within which their number adapts to the samples per step.
FIRST_RAYS, LEAST_RAYS, RAYS_PER_SAMPLE = 2048, 256, 0.75
#: Pixels along the longer side of the silhouettes that a hull is carved from: its cells are larger.
HULL_PIXELS = 200
#: A cell is seen if it adds this much to one of so many batches of rays.
SEEN, SEEN_BATCHES, SEEN_RAYS = 0.01, 12, 2048


class MarchedField(Protocol):
    """What is marched through: a teacher, or a part of one."""

    domain: Domain
    occupancy: OccupancyGrid

    @property
    def growth(self) -> tuple[float, ...]:
        """Shares of the budget after which it grows; empty for one that does not."""

    def grow(self, stage: int, image_size: int, generator: torch.Generator) -> None:
        """Replace parameters by finer ones for ``stage`` of its growth; stage 0 is the beginning of a fit."""

    def density(self, points: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return density (m,) per unit of its domain at points (m, 3), first of what else it knows there."""

    def marcher(self) -> Marcher:
        """Return the way through what is occupied now."""

    def update_occupancy(self, threshold: float, share: float, generator: torch.Generator) -> None:
        """Find out again which cells are occupied: those that absorb more than ``threshold`` over a march step.

        ``share`` of them are looked at, chosen by ``generator``, where a look at all takes long.
        """


class MarchedFit(Fit):
    """One fit of one field.

    Args:
        teacher: is fitted, on the device where it is.
        field: what of it is marched through; has all of its parameters.
        views: the photos.
        budget: steps, seconds and seed.
        generator: seeded with the budget's seed; draws everything random.
        samples_per_step: samples per training step; the number of rays adapts to reach it.
        prune_threshold: opacity of one march step below which a cell counts as empty.
        descent: how the field's parameters of now are optimised: called after each growth.
        block: pixels are drawn in squares of so many along each side.
        threads: so many read them.
        opaque: whether there is something wherever one looks: pixels then have an alpha of 1.

    Raises:
        UserError: the photos' silhouettes have nothing in common.

    """

    def __init__(
        self,
        teacher: Teacher,
        field: MarchedField,
        views: Views,
        budget: Budget,
        generator: torch.Generator,
        samples_per_step: int,
        prune_threshold: float,
        descent: Callable[[], Descent],
        block: int = 1,
        threads: int = 1,
        opaque: bool = False,
    ) -> None:
        device, pixels, domain = next(teacher.parameters()).device, None, field.domain
        # A hull is carved in the world: only where that is the domain itself.
        self.carved = views.alpha is not None and domain.box == domain.scene.box
        if self.carved:
            cameras, alpha = shrunk_silhouettes(views.cameras, views.silhouettes, HULL_PIXELS)
            cameras, alpha = cameras.to(device), alpha.to(device)
            size = views.cameras.height, views.cameras.width
            field.occupancy.carve(cameras, alpha)
            pixels = silhouette_pixels(field.occupancy, cameras, alpha, size).cpu()
        super().__init__(teacher, views, budget, generator, pixels, block, threads)
        self.field = field
        self.samples_per_step, self.prune_threshold = samples_per_step, prune_threshold
        self.make_descent = descent
        self.opaque = opaque
        self.image_size = max(views.cameras.height, views.cameras.width)
        self.rays = FIRST_RAYS
        self.stage = 0
        self.grow()

    def grow(self) -> None:
        """Grow the field to its stage, and start to optimise the new parameters."""
        if self.stage and not self.carved:
            self.forget_unseen()
        self.field.grow(self.stage, self.image_size, self.generator)
        self.begin_stage()

    @torch.no_grad()
    def forget_unseen(self) -> None:
        """Exclude cells that no photo sees for good: free space, and what is hidden behind surfaces.

        Photos without alpha carve no hull; what adds less than ``SEEN`` to any of many rays is carved instead, as
        Plenoxels (Fridovich-Keil et al. 2022, section 3.2) prunes voxels by their largest weight.
        """
        field, occupancy = self.field, self.field.occupancy
        largest = torch.zeros_like(occupancy.opacity).flatten()
        marcher = field.marcher()
        for _ in range(SEEN_BATCHES):
            rays = self.draw(SEEN_RAYS).rays
            paths = field.domain.paths(rays)
            samples, points = sample(marcher, paths, self.random(len(rays)))
            weights = weigh(field.density(points)[0], marcher, paths, samples)
            largest.scatter_reduce_(0, occupancy.indices(points), weights, "amax")
        occupancy.forget(~dilated((largest > SEEN).view(occupancy.shape), 1))

    def begin_stage(self) -> None:
        """Optimise the parameters that the field has now."""
        self.descent = self.make_descent()
        self.optimizer = self.descent.optimizer
        self.rates = [group["lr"] for group in self.optimizer.param_groups]

    def step(self, step: int, progress: float) -> float:
        """Take one step down the mean squared error of a batch of pixels (NeRF eq. 6, one network)."""
        growth = self.field.growth
        if self.stage < len(growth) and progress >= growth[self.stage]:
            self.stage += 1
            self.grow()
        pixels = self.draw(self.rays)
        if self.opaque:
            pixels = pixels.opaque()
        scale = FINAL_RATE ** (max(0.0, progress - FLAT) / (1 - FLAT)) * min(1.0, (step + 1) / WARM_UP_STEPS)
        self.set_rates([rate * scale for rate in self.rates])
        error, samples = self.descent.step(pixels, self.random(len(pixels.rays)), self.generator)
        # The square root damps: the next batch sees other parts of the scene.
        adapted = self.rays * math.sqrt(self.samples_per_step / max(1, samples))
        most = max(LEAST_RAYS, RAYS_PER_SAMPLE * self.samples_per_step)
        self.rays = int(min(most, max(LEAST_RAYS, adapted)))
        done = step + 1
        if done >= OCCUPANCY_FIRST and done % OCCUPANCY_PERIOD == 0:
            share = 1.0 if done < YOUNG else OCCUPANCY_SHARE
            self.field.update_occupancy(self.prune_threshold, share, self.generator)
            self.descent.occupancy_changed()
        return error

    def figures(self) -> dict[str, float]:
        """Return the number of rays in a step."""
        return {"rays": self.rays}

    def particulars(self) -> dict[str, State]:
        """Return what the field's occupancy is made from, and where the fit is."""
        occupancy = self.field.occupancy
        return {
            "opacity": occupancy.opacity,
            "candidates": occupancy.candidates,
            "rays": self.rays,
            "stage": self.stage,
        }

    def resume(self, state: State) -> None:
        """Continue from ``particulars``."""
        occupancy = self.field.occupancy
        occupancy.opacity = state["opacity"].to(self.device)
        occupancy.candidates = state["candidates"].to(self.device)
        self.rays, self.stage = state["rays"], state["stage"]
        self.begin_stage()
