"""The teacher ``deferred``: sparse voxels whose network is asked once for a ray, and that kernels fit in minutes.

A vertex has a raw density and values that are linear all the way: interpolated, weighed and summed along the ray
(``deferred_rendering``). The first three are colour; from all of them and the direction a small network computes
what depends on the direction, as SNeRG (Hedman et al. 2021, section 4.1) does for the specular part.

On a CPU with numba the fit and the rendering are fused kernels (``fused_field``); torch does the same elsewhere.
On random fields and rays of all kinds of scenes both give colours within 2e-3, opacities within 1e-3 and gradients
within 1% of each other (the norm of the difference of the table's, and of each layer's). Kernels end a ray where
less than 1e-4 of the light is left, look softplus up in a table (2e-5), and round in another order, so that a
sample on a voxel's border may be in its neighbour: one ray in a hundred may differ by more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import BakedField, Budget, Rays, RaySource, Rendering, Reporter, Scene, Teacher
from nfcore.geometry import Domain, interpolate
from nfcore.kernels import Unavailable, load
from nfcore.scene import Vector
from nfcore_teachers.deferred_fit import fit_deferred
from nfcore_teachers.deferred_rendering import render_deferred
from nfcore_teachers.fused_field import LEAST_TRANSMITTANCE, FusedField
from nfcore_teachers.marching import Marcher, check_march_step
from nfcore_teachers.occupancy import OccupancyGrid
from nfcore_teachers.options import VoxelOptions
from nfcore_teachers.ray_network import RayNetwork
from nfcore_teachers.rendering import rendering, require_flat
from nfcore_teachers.sparse_grid import SparseGrid, corners_of, stored_cells

#: Density of a raw value r is softplus(10 r - 4) * 62.5 / longest side, as in ``voxels``; -1 where none is stored.
DENSITY_GAIN, DENSITY_SHIFT, DENSITY_SCALE, EMPTY = 10.0, -4.0, 62.5, -1.0
#: Voxels along the longest side at first, and cells along each of them that the visual hull is carved in.
FIRST_RESOLUTION, HULL_CELLS = 64, 2
#: Rays rendered at once. Torch makes the paths of so few on one thread, and the others are free for kernels.
CHUNK = 8192


class Deferred(Teacher):
    """A sparse voxel radiance field with a network for each ray.

    Args:
        options: see ``Options``.
        scene: the bounds of the scene. The field fills its box, or NDC, or the contracted world; see ``domains``.

    Raises:
        UserError: a forward-facing scene does not lie along -z of the world.

    """

    class Options(VoxelOptions):
        """How fine the field is, and how it is fitted."""

        resolution: int | None = Field(
            None,
            ge=8,
            le=512,
            description="Voxels along the domain's longest side when fitted. None: what photos of that size show "
            "and the budget can fit, such as 152 for 200 pixels in half a minute and 288 for 800 in five",
        )
        march_step: float | None = Field(
            None,
            gt=0,
            le=4,
            description="Distance between a ray's samples, in voxels, along z in NDC. None: 0.7 in a box, "
            "1 elsewhere",
        )
        values: Literal[7, 15] = Field(15, description="Values at each voxel corner, in addition to its density")
        hidden: Literal[16, 32, 48, 64] = Field(16, description="Width of the network's two hidden layers")
        learning_rate: float = Field(
            0.05, gt=0, description="Adam's first step size for density; values take half of it"
        )
        samples_per_step: int | None = Field(
            None,
            ge=100,
            le=2**24,
            description="Samples per training step; the number of rays adapts. None: 240,000 where the world is "
            "contracted, as rays are long there, 60,000 elsewhere",
        )
        box_scale: float = Field(
            2.0,
            ge=1,
            le=100,
            description="Of an unbounded scene, what is resolved evenly, in sizes of its box; all beyond is "
            "contracted. Photos of a thing also show the ground around it",
        )
        value_smoothness: float = Field(0.01, ge=0, description="The same for their values")

    options: Options
    grid: SparseGrid
    occupancy: OccupancyGrid
    march_step: Tensor

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.field_scene = scene.with_box_scaled(self.options.box_scale) if scene.unbounded else scene
        self.domain = Domain.of(self.field_scene)
        self.contracted, self.boxed = scene.unbounded, not (scene.forward_facing or scene.unbounded)
        self.density_scale = DENSITY_SCALE / self.domain.longest
        self._fused: FusedField | None = None
        self.register_buffer("march_step", torch.tensor(1.0, dtype=torch.float64))
        self.network = RayNetwork(self.options.values, self.options.hidden)
        self.begin(8, torch.Generator().manual_seed(0))

    @property
    def growth(self) -> tuple[float, ...]:
        """Shares of the budget after which the grid gets finer.

        What few photos see is found with coarse voxels, before fine ones can show each photo something else.
        """
        return (0.3, 0.6) if self.contracted else (0.08, 0.25)

    def begin(self, resolution: int, generator: torch.Generator) -> None:
        """Forget all that was learned: an empty scene, to be fitted with ``resolution`` voxels in the end."""
        device = self.march_step.device
        self.final_resolution = resolution
        row = (EMPTY,) + (0.0,) * self.options.values
        self.grid = SparseGrid(self.field_scene, {"table": row}).to(device)
        first = min(FIRST_RESOLUTION, resolution)
        self.occupancy = OccupancyGrid(self.field_scene, HULL_CELLS * first if self.boxed else first).to(device)
        self.network.begin(generator)

    def grow(self, stage: int, image_size: int, generator: torch.Generator) -> None:
        """Give the grid its resolution of ``stage``: a coarse one, the geometric mean, the final one."""
        final, values = self.final_resolution, self.options.values
        first = min(FIRST_RESOLUTION, final)
        resolution = (first, round(math.sqrt(first * final)), final)[stage]

        def first_values(table: str, rows: int) -> Tensor:
            """A thin fog of grey."""
            noise = torch.randn(rows, values, generator=generator)
            return torch.cat([torch.zeros(rows, 1), (0.5 + 0.1 * noise).clamp(0, 1)], 1)

        self.grid.rebuild(resolution, self.occupancy, first_values)
        self.occupancy = OccupancyGrid(self.field_scene, resolution).to(self.march_step.device)
        self.occupancy.restrict(stored_cells(self.grid))
        # All rays run along NDC's z, which is divided less finely than x and y.
        side = self.grid.spacing[2] if self.scene.forward_facing else self.grid.spacing.min()
        self.march_step.fill_((self.options.march_step or (0.7 if self.boxed else 1.0)) * float(side))

    def density(self, points: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return density (m,) per unit of the domain at its ``points`` (m, 3), and values (m, v)."""
        density, values = self.look_up(points)
        return density, (values,)

    def look_up(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return density (m,) per unit of the domain and values (m, v) at its ``points`` (m, 3)."""
        row = interpolate(self.grid.table, *self.grid.locate(points), constant_first=True)
        return self.activated(row[:, 0]), row[:, 1:]

    def activated(self, raw: Tensor) -> Tensor:
        """Return the density of raw ones, per unit of the domain."""
        return F.softplus(DENSITY_GAIN * raw + DENSITY_SHIFT) * self.density_scale

    def residual(self, sums: Tensor, directions: Tensor) -> Tensor:
        """Return (n, 3) what the network adds to a ray's colour: see ``deferred_rendering.DeferredField``."""
        colour: Tensor = self.network(sums, directions)
        return colour

    def marcher(self) -> Marcher:
        """Return the way through what is occupied now."""
        return Marcher(self.occupancy, self.march_step.item(), self.grid.bounds())

    def fused(self, reporter: Reporter | None = None) -> FusedField | Unavailable:
        """Return what kernels know of the field as it is, or why they don't run."""
        if self.march_step.device.type != "cpu":
            return Unavailable("kernels run on a CPU")
        loaded = load("nfcore_teachers.deferred_kernels", reporter.note if reporter else None)
        if isinstance(loaded, Unavailable):
            return loaded
        if self._fused is not None and self._fused.is_of(self.grid):
            return self._fused
        activation = DENSITY_GAIN, DENSITY_SHIFT, self.density_scale
        self._fused = FusedField(
            loaded, self.grid, self.occupancy, self.network, self.domain, self.march_step.item(), activation
        )
        return self._fused

    @torch.no_grad()
    def update_occupancy(self, threshold: float, share: float, generator: torch.Generator) -> None:
        """Occupy voxels with a corner that absorbs more than ``threshold`` in a step: none is denser within.

        The threshold is lowered to the mean of the occupied voxels where that is less: see ``OccupancyGrid``.
        """
        fused = self.fused()
        if isinstance(fused, FusedField):
            fused.occupy(threshold)
            return
        raw = torch.stack([self.grid.table[rows.long(), 0] for rows in self.grid.cell_rows[1:].unbind(1)]).amax(0)
        opacity = torch.zeros_like(self.occupancy.opacity)
        opacity.view(-1)[self.grid.cell_places()] = -torch.expm1(-self.activated(raw) * self.march_step.item())
        if self.occupancy.occupied.any():
            threshold = min(threshold, opacity[self.occupancy.occupied].mean().item())
        self.occupancy.occupied = (opacity > threshold) & self.occupancy.candidates

    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Fit the field to the training views; with alpha, their visual hull is carved first.

        Raises:
            UserError: the silhouettes have nothing in common.
            NfcoreError: the loss is no longer a number at the first step.

        """
        fit_deferred(self, source, budget, reporter)

    @torch.no_grad()
    def render(self, rays: Rays) -> Rendering:
        """Return colour, opacity and depth along ``rays`` (n, 3).

        Raises:
            UserError: the rays have another shape.

        """
        require_flat(rays)
        fused = self.fused()
        if isinstance(fused, FusedField):
            return rendering(fused.render(chunk) for chunk in rays.split(CHUNK))
        marcher = self.marcher()
        chunks = rays.split(CHUNK)
        return rendering(render_deferred(self, marcher, self.domain, chunk) for chunk in chunks)

    @torch.no_grad()
    def field(self, points: Tensor) -> nfcore.Field:
        """Return density (n,) per scene unit, 0 where nothing is occupied, and values (n, v) at world points."""
        warped = self.domain.warp(points)
        density, values = self.look_up(warped)
        there = self.domain.holds(warped) & self.occupancy.holds(warped)
        return nfcore.Field(torch.where(there, density * self.domain.per_scene_unit(points), 0), values)

    @torch.no_grad()
    def baked(self) -> BakedField:
        """Return the field as plain data: of the grid, only vertices of occupied voxels."""
        stored = self.grid.vertices
        touched = corners_of(self.occupancy.occupied).flatten()[stored].nonzero()[:, 0]
        touched = touched[stored[touched].argsort()]
        rows = torch.cat([touched.new_zeros(1), 1 + touched])
        low, high = self.grid.bounds()
        return BakedField(
            scene=self.field_scene,
            box=self.domain.box,
            shape=self.grid.shape,
            vertices=stored[touched].cpu(),
            table=self.grid.table.detach()[rows].cpu(),
            occupied=self.occupancy.occupied.cpu().clone(),
            bounds=(_vector(low), _vector(high)),
            step=self.march_step.item(),
            density_gain=DENSITY_GAIN,
            density_shift=DENSITY_SHIFT,
            density_scale=self.density_scale,
            layers=tuple(
                (layer.weight.detach().cpu().clone(), layer.bias.detach().cpu().clone())
                for layer in self.network.layers
            ),
            stop_transmittance=LEAST_TRANSMITTANCE,
        )

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
        self._fused = None
        return result


def _vector(coordinates: Tensor) -> Vector:
    x, y, z = coordinates.tolist()
    return x, y, z
