"""The teacher ``voxels``: a sparse voxel grid with a small colour network, quick to fit on a CPU.

Density and features lie at voxel corners and are interpolated (DVGO, Sun et al. 2022); only voxels around what is
occupied are stored (Plenoxels, Fridovich-Keil et al. 2022); rays skip empty space by an occupancy grid
(Instant-NGP, Mueller et al. 2022).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import skip_init

import nfcore
from nfcore import Budget, Rays, RaySource, Rendering, Reporter, Scene, Teacher
from nfcore.geometry import BASIS_SIZE, Domain, interpolate, spherical_harmonics
from nfcore_teachers.descent import Autograd, adam
from nfcore_teachers.marched_fit import MarchedFit
from nfcore_teachers.marching import Marcher, check_march_step
from nfcore_teachers.occupancy import OccupancyGrid, proportional_shape
from nfcore_teachers.options import VoxelOptions
from nfcore_teachers.rendering import render_rays, rendering, require_flat
from nfcore_teachers.resolution import default_resolution
from nfcore_teachers.sparse_grid import SparseGrid

#: Density of a raw value r is softplus(10 r - 4) * 62.5 / longest side: a young grid (r = 0) is a thin fog, of
#: opacity 0.7 across the box, and one unit of r makes a voxel opaque. The learning rates go with this scale.
DENSITY_GAIN, DENSITY_SHIFT, DENSITY_SCALE = 10.0, -4.0, 62.5
#: Raw density where no voxel is stored: 5e-5 of the fog's density.
EMPTY = -1.0
#: Voxels along the longest side at first: a coarse grid settles the shape in few steps.
FIRST_RESOLUTION = 64
#: Distance between samples, in voxels. Without a box most of a ray is occupied, and the field is smooth.
MARCH_STEP, NDC_STEP, UNBOUNDED_STEP = 0.9, 1.35, 2.0
#: Voxels along the longest side, as a share of what suits a box: few photos tell too little for more, and as many
#: steps on a coarser grid take less time. Fern's held-out views: 22.5 dB with 96 voxels as with 136.
NDC_SHARE, UNBOUNDED_SHARE = 0.7, 0.55
#: Cells whose roughness is asked for in one step.
ROUGHNESS_CELLS = 10_000
#: Rays rendered at once: their samples fit a CPU's caches, and some 100 MB. Without a box they have more.
CHUNK, CHUNK_WITHOUT_BOX = 8192, 1536


class Voxels(Teacher):
    """A sparse voxel radiance field.

    Args:
        options: see ``Options``.
        scene: the bounds of the scene. The field fills its box, or NDC, or the contracted world; see ``domains``.

    Raises:
        UserError: a forward-facing scene does not lie along -z of the world.

    """

    class Options(VoxelOptions):
        """How fine the field is, and how it is fitted. The defaults hold from 100x100 photos up."""

        resolution: int | None = Field(
            None,
            ge=8,
            le=512,
            description="Voxels along the box's longest side when fitted. None: 96 for photos of 100 pixels, "
            "128 for 200, and so on with their size to the power 0.4; 0.7 of that in forward-facing scenes, 0.55 "
            "in unbounded ones",
        )
        occupancy_resolution: int | None = Field(
            None, ge=4, le=512, description="Occupancy cells along the longest side. None: 3/4 of the voxels"
        )
        march_step: float | None = Field(
            None,
            gt=0,
            le=4,
            description="Distance between a ray's samples, in voxels of the final resolution, along z in NDC. "
            "None: 0.9 in a box, 1.35 in NDC, 2 in unbounded scenes",
        )
        features: int = Field(8, ge=1, le=64, description="Colour features at each voxel corner")
        hidden: int = Field(32, ge=1, le=256, description="Width of the colour network's hidden layer")
        learning_rate: float = Field(
            0.05, gt=0, description="Adam's first step size for density; features take half of it"
        )
        samples_per_step: int = Field(
            22_000,
            ge=100,
            le=2**24,
            description="Samples per training step; the number of rays adapts",
        )
        feature_smoothness: float = Field(0.01, ge=0, description="The same for their features")

    #: Shares of the budget after which the grid gets finer.
    growth: ClassVar[tuple[float, ...]] = (0.25, 0.5)

    options: Options
    grid: SparseGrid
    occupancy: OccupancyGrid
    march_step: Tensor

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.domain = Domain.of(scene)
        self.boxed = not (scene.forward_facing or scene.unbounded)
        self.density_scale = DENSITY_SCALE / self.domain.longest
        self.register_buffer("march_step", torch.tensor(1.0, dtype=torch.float64))
        hidden = self.options.hidden
        # skip_init: torch's own initialisation would draw from the global generator.
        self.hidden_layer: nn.Linear = skip_init(nn.Linear, self.options.features + BASIS_SIZE, hidden)
        self.colour_layer: nn.Linear = skip_init(nn.Linear, hidden, 3)
        self.begin(8, torch.Generator().manual_seed(0))

    def begin(self, resolution: int, generator: torch.Generator) -> None:
        """Forget all that was learned: an empty scene, to be fitted with ``resolution`` voxels at last."""
        device = self.march_step.device
        cells = self.options.occupancy_resolution or max(4, round(0.75 * resolution))
        tables = {"density": (EMPTY,), "features": (0.0,) * self.options.features}
        self.grid = SparseGrid(self.scene, tables).to(device)
        self.occupancy = OccupancyGrid(self.scene, cells).to(device)
        voxels = proportional_shape(self.scene, resolution)
        spacing = [(high - low) / n for low, high, n in zip(*self.domain.box, voxels, strict=True)]
        # All rays run along NDC's z, which is divided less finely than x and y.
        side = spacing[2] if self.scene.forward_facing else min(spacing)
        voxels_apart = self.options.march_step or self.for_kind(MARCH_STEP, NDC_STEP, UNBOUNDED_STEP)
        self.march_step.fill_(voxels_apart * side)
        for layer in (self.hidden_layer, self.colour_layer):
            bound = 1 / math.sqrt(layer.in_features)
            for parameter in layer.parameters():
                drawn = torch.rand(parameter.shape, generator=generator) * 2 - 1
                parameter.data = (drawn * bound).to(device)

    def for_kind(self, boxed: float, forward_facing: float, unbounded: float) -> float:
        """Return the one that is for the scene's kind."""
        return boxed if self.boxed else forward_facing if self.scene.forward_facing else unbounded

    def density(self, points: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return density (m,) per unit of the domain at its ``points`` (m, 3), and where they lie in the grid."""
        rows, weights = self.grid.locate(points)
        raw = interpolate(self.grid.density, rows, weights, constant_first=True)[:, 0]
        return F.softplus(DENSITY_GAIN * raw + DENSITY_SHIFT) * self.density_scale, (rows, weights)

    def radiance(self, at: tuple[Tensor, ...], directions: Tensor, ray: Tensor) -> Tensor:
        """Return RGB (k, 3) in [0, 1] at places in the grid, seen along ``directions[ray]``."""
        features = interpolate(self.grid.features, *at, constant_first=True)
        hidden = F.relu(self.hidden_layer(torch.cat([features, spherical_harmonics(directions)[ray]], 1)))
        return torch.sigmoid(self.colour_layer(hidden))

    def marcher(self) -> Marcher:
        """Return the way through what is occupied now."""
        return Marcher(self.occupancy, self.march_step.item())

    def update_occupancy(self, threshold: float, share: float, generator: torch.Generator) -> None:
        """Ask for the density at random points of cells; see ``OccupancyGrid.update``."""
        self.occupancy.update(self.density_at, self.march_step.item(), threshold, share, generator)

    def density_at(self, points: Tensor) -> Tensor:
        """Return density (m,) per unit of the domain at its ``points`` (m, 3)."""
        return self.density(points)[0]

    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Fit the field to the training views; with alpha, their visual hull is carved first.

        Raises:
            UserError: the silhouettes have nothing in common.
            NfcoreError: the loss is no longer a number.

        """
        views = source.views("train")
        generator = torch.Generator().manual_seed(budget.seed)
        self.begin(self.final_resolution(max(views.cameras.height, views.cameras.width)), generator)
        options = self.options
        # Photos all around a box see all of it; of all the rest much is seen by few photos, or by none.
        penalty = None if self.boxed else self.roughness
        samples, threshold = options.samples_per_step, options.prune_threshold

        def descent() -> Autograd:
            return Autograd(self, adam(self.groups()), render_rays, penalty)

        MarchedFit(self, views, budget, generator, samples, threshold, descent).run(reporter)

    def roughness(self, generator: torch.Generator) -> Tensor:
        """Return how much neighbouring voxels differ, as the loss has it; see ``SparseGrid.roughness``."""
        density, features = self.grid.roughness(ROUGHNESS_CELLS, generator)
        return self.options.density_smoothness * density.sum() + self.options.feature_smoothness * features.sum()

    def final_resolution(self, image_size: int) -> int:
        """Return the voxels along the domain's longest side for photos of ``image_size`` pixels."""
        share = self.for_kind(1.0, NDC_SHARE, UNBOUNDED_SHARE)
        return self.options.resolution or max(8, round(share * default_resolution(image_size)))

    def grow(self, stage: int, image_size: int, generator: torch.Generator) -> None:
        """Give the grid its resolution of ``stage``: a coarse one, the geometric mean, the final one."""
        final = self.final_resolution(image_size)
        first = min(FIRST_RESOLUTION, final)
        resolution = (first, round(math.sqrt(first * final)), final)[stage]

        def initial(table: str, rows: int) -> Tensor:
            """A thin fog; features are drawn, so that they differ."""
            if table == "density":
                return torch.zeros(rows, 1)
            return 0.1 * torch.randn(rows, self.options.features, generator=generator)

        self.grid.rebuild(resolution, self.occupancy, initial)

    def groups(self) -> list[dict[str, Any]]:
        """Return density, features and colour network with their first step sizes."""
        rate = self.options.learning_rate
        network = [*self.hidden_layer.parameters(), *self.colour_layer.parameters()]
        return [
            {"params": [self.grid.density], "lr": rate},
            {"params": [self.grid.features], "lr": rate / 2},
            {"params": network, "lr": self.options.network_learning_rate},
        ]

    @torch.no_grad()
    def render(self, rays: Rays) -> Rendering:
        """Return colour, opacity and depth along ``rays`` (n, 3).

        Raises:
            UserError: the rays have another shape.

        """
        require_flat(rays)
        marcher = self.marcher()
        chunks = rays.split(CHUNK if self.boxed else CHUNK_WITHOUT_BOX)
        return rendering(render_rays(self, marcher, self.domain, chunk) for chunk in chunks)

    @torch.no_grad()
    def field(self, points: Tensor) -> nfcore.Field:
        """Return density (n,) per scene unit and colour features (n, f) at world ``points`` (n, 3)."""
        warped = self.domain.warp(points)
        density, at = self.density(warped)
        density = torch.where(self.domain.holds(warped), density * self.domain.per_scene_unit(points), 0)
        return nfcore.Field(density, interpolate(self.grid.features, *at))

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load what ``state_dict`` gave; the number of voxels and occupancy cells is taken from it first."""
        if "grid.vertices" in state_dict:
            self.grid.take_shape(len(state_dict["grid.vertices"]))
        if "occupancy.occupied" in state_dict:
            self.occupancy.restrict(
                torch.ones_like(state_dict["occupancy.occupied"], device=self.march_step.device)
            )
        result = super().load_state_dict(state_dict, strict, assign)
        self.grid.index()
        check_march_step(self.march_step, self.domain)
        return result
