"""A sparse voxel field: raw density and values at voxel corners, a small network, and which voxels are occupied.

The teachers ``deferred`` and ``voxels`` differ only in how values become colours (``Shading``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import nfcore
from nfcore import Rays, Rendering, Reporter, Scene
from nfcore.geometry import Domain, interpolate
from nfcore.kernels import Unavailable, in_turn, load
from nfcore.runtime import device_of
from nfcore_teachers.colour_network import ColourNetwork
from nfcore_teachers.fused_field import FusedField
from nfcore_teachers.marching import Marcher, WithMarchStep, check_march_step
from nfcore_teachers.occupancy import OccupancyGrid
from nfcore_teachers.options import VoxelOptions
from nfcore_teachers.rendering import Renderer, rendering, require_flat
from nfcore_teachers.sparse_grid import SparseGrid, stored_cells

#: Density of a raw value r is softplus(10 r - 4) * 62.5 / longest side: a young grid (r = 0) is a thin fog, of
#: opacity 0.7 across the box, and one unit of r makes a voxel opaque. The learning rates go with this scale.
DENSITY_GAIN, DENSITY_SHIFT, DENSITY_SCALE = 10.0, -4.0, 62.5
#: Raw density where no voxel is stored: 5e-5 of the fog's density.
EMPTY = -1.0
#: Voxels along the longest side at first, and cells along each of them that the visual hull is carved in.
FIRST_RESOLUTION, HULL_CELLS = 64, 2
#: Rays rendered at once: by torch, and by a thread with kernels. Torch works on so few on the calling thread only.
CHUNK, THREAD_CHUNK = 8192, 2048
#: The same on a GPU, which has thousands of threads to keep busy.
GPU_CHUNK = 65536


@dataclass(frozen=True)
class Shading:
    """How values become colours.

    Args:
        kernels: full name of the module of kernels that render and train so.
        render: does the same in torch.
        lowest: of a value.
        highest: of a value.
        first: mean and deviation of a value before it is fitted.
        last_gain: of the network's last layer at that time, see ``ColourNetwork.begin``.

    """

    kernels: str
    render: Renderer
    lowest: float
    highest: float
    first: tuple[float, float]
    last_gain: float


class SparseField(WithMarchStep):
    """Density, values and network of a teacher, empty until ``begin`` and ``grow``; a ``MarchedField``.

    Args:
        scene: the teacher's. The field fills its box, or NDC, or the contracted world; see ``domains``.
        options: the teacher's.
        shading: how it makes colours.

    Attributes:
        scene: the same; an unbounded one's box is what is resolved evenly.
        domain: where the field is.
        boxed: whether the scene is in a box, and photos all around see all of it.
        contracted: whether the world around the box is contracted.
        density_scale: of the density of a raw value, per unit of the domain.
        grid: raw density, then the values.
        occupancy: of the grid's own voxels.

    """

    grid: SparseGrid
    occupancy: OccupancyGrid

    def __init__(self, scene: Scene, options: VoxelOptions, shading: Shading) -> None:
        super().__init__()
        self.options, self.shading = options, shading
        self.scene = evenly_resolved(scene, options.inner_margin) if scene.unbounded else scene
        self.domain = Domain.of(self.scene)
        self.contracted, self.boxed = scene.unbounded, not (scene.forward_facing or scene.unbounded)
        self.density_scale = DENSITY_SCALE / self.domain.longest
        self._fused: FusedField | None = None
        self.network = ColourNetwork(options.values, options.hidden)
        self.begin(8, torch.Generator().manual_seed(0))

    @property
    def growth(self) -> tuple[float, ...]:
        """Shares of the budget after which the grid gets finer.

        What few photos see is found with coarse voxels, before fine ones can show each photo something else.
        """
        return (0.3, 0.6) if self.contracted else (0.08, 0.25)

    def begin(self, resolution: int, generator: torch.Generator) -> None:
        """Forget all that was learned: an empty scene, to be fitted with ``resolution`` voxels in the end."""
        device = device_of(self.network)
        self.final_resolution = resolution
        self.grid = SparseGrid(self.scene, (EMPTY,) + (0.0,) * self.options.values).to(device)
        first = min(FIRST_RESOLUTION, resolution)
        self.occupancy = OccupancyGrid(self.scene, HULL_CELLS * first if self.boxed else first).to(device)
        self.network.begin(generator, self.shading.last_gain)

    def grow(self, stage: int, image_size: int, generator: torch.Generator) -> None:
        """Give the grid its resolution of ``stage``: a coarse one, the geometric mean, the final one."""
        final, values = self.final_resolution, self.options.values
        first = min(FIRST_RESOLUTION, final)
        resolution = (first, round(math.sqrt(first * final)), final)[stage]

        def first_values(rows: int) -> Tensor:
            """A thin fog of grey."""
            mean, deviation = self.shading.first
            noise = mean + deviation * torch.randn(rows, values, generator=generator)
            return torch.cat([torch.zeros(rows, 1), noise.clamp(self.shading.lowest, self.shading.highest)], 1)

        self.grid.rebuild(resolution, self.occupancy, first_values)
        self.occupancy = OccupancyGrid(self.scene, resolution).to(device_of(self.network))
        self.occupancy.restrict(stored_cells(self.grid))
        # All rays run along NDC's z, which is divided less finely than x and y.
        side = self.grid.spacing[2] if self.scene.forward_facing else self.grid.spacing.min()
        self.march_step.fill_((self.options.march_step or (0.7 if self.boxed else 1.0)) * float(side))

    def density(self, points: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return density (m,) per unit of the domain at its ``points`` (m, 3), and values (m, v)."""
        row = interpolate(self.grid.table, *self.grid.locate(points), constant_first=True)
        return self.activated(row[:, 0]), (row[:, 1:],)

    def activated(self, raw: Tensor) -> Tensor:
        """Return the density of raw ones, per unit of the domain."""
        return F.softplus(DENSITY_GAIN * raw + DENSITY_SHIFT) * self.density_scale

    def radiance(self, at: tuple[Tensor, ...], directions: Tensor, ray: Tensor) -> Tensor:
        """Return RGB (k, 3) in [0, 1] of samples with the values ``at``, seen along ``directions[ray]``."""
        return torch.sigmoid(self.network(*at, directions[ray]))

    def marcher(self) -> Marcher:
        """Return the way through what is occupied now."""
        return Marcher(self.occupancy, self.march_step.item(), self.grid.bounds())

    def fused(self, reporter: Reporter | None = None) -> FusedField | Unavailable:
        """Return what kernels know of the field as it is, or why they don't run."""
        if device_of(self.network).type != "cpu":
            return Unavailable("kernels run on a CPU")
        loaded = load(self.shading.kernels, reporter.note if reporter else None)
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

    @torch.no_grad()
    def render(self, rays: Rays) -> Rendering:
        """Return colour, opacity and depth along ``rays`` (n, 3); see ``Teacher.render``."""
        require_flat(rays)
        fused = self.fused()
        if isinstance(fused, FusedField):
            return rendering(in_turn(fused.render, list(rays.split(THREAD_CHUNK)), fused.parts))
        marcher, render = self.marcher(), self.shading.render
        size = CHUNK if device_of(self.network).type == "cpu" else GPU_CHUNK
        return rendering(render(self, marcher, self.domain, chunk, None) for chunk in rays.split(size))

    @torch.no_grad()
    def at(self, points: Tensor) -> nfcore.Field:
        """Return density (n,) per scene unit, 0 where nothing is occupied, and values (n, v) at world points."""
        warped = self.domain.warp(points)
        density, (values,) = self.density(warped)
        there = self.domain.holds(warped) & self.occupancy.holds(warped)
        return nfcore.Field(torch.where(there, density * self.domain.per_scene_unit(points), 0), values)

    def take_shapes(self, state: Mapping[str, Any], prefix: str) -> None:
        """Make room for as many voxels and occupancy cells as ``state`` has, under names with ``prefix``."""
        if f"{prefix}grid.vertices" in state:
            self.grid.take_shape(len(state[f"{prefix}grid.vertices"]))
        if f"{prefix}occupancy.occupied" in state:
            cells = torch.ones_like(state[f"{prefix}occupancy.occupied"], device=device_of(self.network))
            self.occupancy.restrict(cells)

    def loaded(self) -> None:
        """Derive the rest from what was loaded.

        Raises:
            ValueError: it is no field.

        """
        self.grid.index()
        check_march_step(self.march_step, self.domain)
        self._fused = None


def evenly_resolved(scene: Scene, margin: float) -> Scene:
    """Return an unbounded scene with a box of all that is not contracted.

    Photos of a thing also show the ground and the walls around it. Contracted from the thing's own box on, they
    get few voxels; Mip-NeRF 360 (Barron et al. 2022, section 3) contracts from the cameras on.

    Args:
        scene: its box is around what the cameras look at.
        margin: see ``VoxelOptions.inner_margin``.

    >>> scene = Scene(near=2, far=60, box=((-1, -1, 0), (1, 1, 4)), unbounded=True)
    >>> evenly_resolved(scene, 1.0).box
    ((-4.0, -4.0, -4.0), (4.0, 4.0, 8.0))

    """
    low, high = scene.box
    margins = [margin * (scene.near + (b - a) / 2) for a, b in zip(low, high, strict=True)]
    x, y, z = ((a - beyond, b + beyond) for a, b, beyond in zip(low, high, margins, strict=True))
    return Scene(**{**scene.model_dump(), "box": tuple(zip(x, y, z, strict=True))})
