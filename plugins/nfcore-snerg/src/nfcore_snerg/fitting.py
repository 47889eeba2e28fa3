"""How SNeRG is fitted: a field first, baked to voxels; then the voxels themselves; then, rounded, the network."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from nfcore import Budget, Cameras, FittedTeacher, RaySource, Rendering, Reporter, Scene, Views, plugins
from nfcore_snerg.baking import bake
from nfcore_snerg.finetuning import finetune
from nfcore_snerg.frame import MOST_RESOLUTION, Frame, VoxelGrid
from nfcore_snerg.network import ViewNetwork
from nfcore_snerg.rendering import Renderer
from nfcore_snerg.stages import Shares, StageReporter
from nfcore_snerg.visibility import visible
from nfcore_snerg.voxel_fit import VoxelFit
from nfcore_snerg.voxels import rounded


class Fitted(Protocol):
    """The teacher that is fitted: see ``teacher.Snerg``."""

    options: Any
    scene: Scene
    frame: Frame
    network: ViewNetwork
    table: Tensor

    def grid(self, resolution: int) -> VoxelGrid:
        """Return the grid with so many voxels along the longest side."""

    def store(self, grid: VoxelGrid, voxels: Tensor, rows: Tensor) -> None:
        """Replace the voxels: opacity and premultiplied values (m, 8) of ``voxels`` (m,) int64."""

    def renderer(self, reporter: Reporter | None = None) -> Renderer:
        """Return a renderer of the current voxels."""

    def render_views(self, cameras: Cameras) -> Rendering:
        """Return what ``cameras`` see."""


def fit_snerg(teacher: Fitted, source: RaySource, budget: Budget, reporter: Reporter) -> None:
    """Fit ``teacher`` to the training views of ``source``, from the start or from the reporter's checkpoint.

    Raises:
        UserError: the field that voxels start from can't be baked.
        PluginError: it is not installed.

    """
    options, saved = teacher.options, reporter.restore()
    shares = Shares.of(budget, options.field_share, options.finetune_share)
    first_steps = (0, shares.field.steps, shares.field.steps + shares.voxels.steps)
    field, voxels, network = (
        StageReporter(reporter, name, first, saved)
        for name, first in zip(("field", "voxels", "network"), first_steps, strict=True)
    )
    reporter.start(budget.steps)
    views = source.views("train").to("cpu")
    if voxels.kept is None and network.kept is None:
        begin(teacher, source, views, shares.field, field)
    if network.kept is None:
        VoxelFit(teacher, views, shares.voxels, voxels).run()
        prune(teacher, views, options.least_opacity)
    finish(teacher, views, shares.network, network)


def begin(teacher: Fitted, source: RaySource, views: Views, budget: Budget, reporter: StageReporter) -> None:
    """Fit a field, and store those of its voxels that photos show."""
    options = teacher.options
    field = plugins().build("teacher", options.field, dict(options.field_options), teacher.scene)
    field.fit(source, budget, reporter)
    baked = FittedTeacher(field.eval(), views.cameras).baked()
    refined = min(MOST_RESOLUTION, round(options.refinement * (max(baked.shape) - 1)))
    grid = teacher.grid(options.resolution or refined)
    teacher.network.begin(torch.Generator().manual_seed(budget.seed))
    teacher.store(grid, *bake(baked, teacher.frame, grid, options.least_opacity))
    prune(teacher, views, 0.0)


def prune(teacher: Fitted, views: Views, least_opacity: float) -> None:
    """Leave out voxels that absorb too little, or that hardly any light reaches in the photos (section 4.3)."""
    renderer = teacher.renderer()
    light, _ = visible(renderer, views.cameras)
    shown = (light[1:] > teacher.options.least_light) & (teacher.table[1:, 0] > least_opacity)
    teacher.store(renderer.atlas.grid, renderer.atlas.voxels[shown], teacher.table[1:][shown])


def finish(teacher: Fitted, views: Views, budget: Budget, reporter: StageReporter) -> None:
    """Round the voxels to 8 bits and fine-tune the network on them; without a budget, leave both as they are."""
    if reporter.kept is not None:
        kept = reporter.kept
        teacher.store(teacher.grid(kept["resolution"]), kept["voxels"], kept["rows"])
    elif budget.steps:
        atlas = teacher.renderer().atlas
        rows = rounded(teacher.table[1:])
        teacher.store(atlas.grid, atlas.voxels, rows)
        reporter.kept = {"resolution": max(atlas.grid.shape), "voxels": atlas.voxels, "rows": rows}
    if budget.steps:
        finetune(teacher.renderer(reporter), views, budget, reporter)
