"""The teacher ``snerg``: voxels of opacity, colour and features, and a network that is evaluated once per ray.

SNeRG (Hedman et al. 2021) trains a deferred NeRF for days and bakes it to voxels. Here a field that can be baked
is fitted first, in a minute; its voxels are then fitted as the files store them and as the viewer samples and
blends them, so that nothing is lost on the way to the files but 8 bits.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import Budget, Rays, RaySource, Rendering, Reporter, Scene, Teacher, UserError
from nfcore.kernels import load
from nfcore_snerg.atlas import Atlas, block_order
from nfcore_snerg.fitting import fit_snerg
from nfcore_snerg.frame import MOST_RESOLUTION, Frame, VoxelGrid
from nfcore_snerg.network import VALUES, ViewNetwork
from nfcore_snerg.rendering import Renderer

#: Rays rendered at once.
_CHUNK = 1 << 14


class Snerg(Teacher):
    """A sparse grid of voxels with a deferred network, as SNeRG's viewer draws it.

    Args:
        options: see ``Options``.
        scene: the bounds of the scene, which must be in a box.

    Raises:
        UserError: the scene is forward-facing or unbounded.

    """

    class Options(nfcore.Options):
        """How fine the voxels are, and how they are fitted."""

        resolution: int | None = Field(
            None,
            ge=8,
            le=MOST_RESOLUTION,
            description="Voxels along the box's longest side. None: ``refinement`` times those of the field that "
            "they start from",
        )
        refinement: float = Field(
            1.25, gt=0, le=4, description="Voxels of the files along a side of one of the field's"
        )
        field: str = Field(
            "nfcore-teachers/deferred",
            description="The teacher that is fitted first; it must be one that can be baked",
        )
        field_options: dict[str, str | int | float | bool | None] = Field({"values": 7}, description="Its options")
        field_share: float = Field(
            0.35, ge=0, le=0.9, description="Share of the budget for the field that voxels start from"
        )
        finetune_share: float = Field(
            0.1,
            ge=0,
            le=0.5,
            description="Share of the budget for fine-tuning the network on voxels rounded to 8 bits. 0 leaves "
            "the voxels as they are, and the export rounds them down",
        )
        block: Literal[8, 16, 32] = Field(
            16,
            description="Texels along the side of a block, with its border of one texel",
        )
        hidden: Literal[16, 32] = Field(16, description="Width of the network's two hidden layers")
        learning_rate: float = Field(
            0.03, gt=0, description="Adam's first step size for raw densities; values take half of it"
        )
        network_learning_rate: float = Field(3e-3, gt=0, description="Adam's first step size for the network")
        samples_per_step: int = Field(
            60_000, ge=100, le=2**24, description="Samples per training step; the number of rays adapts"
        )
        alpha_weight: float = Field(
            0.1, ge=0, description="What squared errors of opacities count in the loss, where photos have alpha"
        )
        opacity_weight: float = Field(
            1e-4,
            ge=0,
            description="Weight in the loss of a penalty on densities: fewer voxels are half transparent",
        )
        least_opacity: float = Field(
            0.005, ge=0, lt=1, description="Opacity of a voxel below which it is left out"
        )
        least_light: float = Field(
            0.01,
            ge=0,
            lt=1,
            description="Share of the light below which a voxel that no photo shows better is left out",
        )

    options: Options
    resolution: Tensor
    voxels: Tensor
    table: Tensor

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        if scene.forward_facing or scene.unbounded:
            kind = "forward-facing" if scene.forward_facing else "unbounded"
            raise UserError(
                f"snerg: the scene is {kind}, and SNeRG's voxels fill a box: fit the teacher 'deferred' instead, "
                "which 'nfcore export RUN webgl' draws in all kinds of scenes"
            )
        self.frame = Frame.of(scene)
        self.network = ViewNetwork(self.options.hidden)
        self.network.begin(torch.Generator().manual_seed(0))
        self.register_buffer("resolution", torch.tensor(8))
        self.register_buffer("voxels", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("table", torch.zeros(1, 1 + VALUES))
        self._renderer: Renderer | None = None
        self._rendered = self.table

    def grid(self, resolution: int) -> VoxelGrid:
        """Return the grid with so many voxels along the longest side."""
        return VoxelGrid.of(self.scene, resolution, self.options.block - 2)

    def store(self, grid: VoxelGrid, voxels: Tensor, rows: Tensor) -> None:
        """Hold opacity and premultiplied values (m, 8) of ``voxels`` (m,) int64 from now on."""
        order = block_order(grid, voxels)
        self.resolution = torch.tensor(max(grid.shape))
        self.voxels = voxels[order]
        self.table = torch.cat([torch.zeros(1, 1 + VALUES), rows[order]])
        self._renderer = None

    def renderer(self, reporter: Reporter | None = None) -> Renderer:
        """Return what renders the voxels of now, on the CPU: of a teacher on another device it has a copy."""
        if self._renderer is None or self._rendered is not self.table:
            loaded = load("nfcore_snerg.kernels", reporter.note if reporter else None)
            network = self.network if self.table.device.type == "cpu" else copy.deepcopy(self.network).cpu()
            atlas = Atlas.of(self.grid(int(self.resolution)), self.voxels.cpu())
            scene, table = self.scene, self.table.cpu()
            self._renderer = Renderer(atlas, table, network, self.frame, scene.background, scene.near, loaded)
            self._rendered = self.table
        return self._renderer

    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Fit a field, then the voxels that it is baked to, then the network on rounded voxels.

        Raises:
            UserError: the field can't be baked.
            NfcoreError: the loss is no longer a number.

        """
        device = self.table.device
        fit_snerg(self.cpu(), source, budget, reporter)
        self.to(device)

    @torch.no_grad()
    def render(self, rays: Rays) -> Rendering:
        """Return colour, opacity and depth along ``rays`` (n, 3)."""
        renderer, device = self.renderer(), rays.origins.device
        rays = Rays(rays.origins.cpu(), rays.directions.cpu())
        seen = [renderer.render(chunk) for chunk in rays.split(_CHUNK)]
        rgb = torch.cat([part.rgb for part in seen]).clamp(0, 1)
        # The network may brighten a ray that is nearly clear by more than its opacity: it counts as what it shows.
        changed = (rgb - renderer.background).abs().amax(1)
        opacity = torch.cat([part.sums[:, 0] for part in seen]).clamp(0, 1).maximum(changed)
        depth = torch.cat([part.t for part in seen])
        return Rendering(rgb.to(device), opacity.to(device), depth.to(device))

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load what ``state_dict`` gave; the number of voxels is taken from it first."""
        if "voxels" in state_dict and "table" in state_dict:
            self.voxels = torch.zeros_like(state_dict["voxels"], device=self.voxels.device)
            self.table = torch.zeros_like(state_dict["table"], device=self.table.device)
        result = super().load_state_dict(state_dict, strict, assign)
        self._renderer = None
        self._check_voxels()
        return result

    def _check_voxels(self) -> None:
        """Raise a ValueError if a file's voxels are not those of a grid that the options allow."""
        resolution, most = int(self.resolution), MOST_RESOLUTION
        if not 1 <= resolution <= most:
            raise ValueError(f"resolution is {resolution}, not 1 to {most}")
        count, rows = math.prod(self.grid(resolution).shape), (len(self.voxels) + 1, 1 + VALUES)
        if self.voxels.ndim != 1 or tuple(self.table.shape) != rows:
            raise ValueError(
                f"table is {tuple(self.table.shape)} for {tuple(self.voxels.shape)} voxels, not {rows}"
            )
        if len(self.voxels) and not 0 <= int(self.voxels.min()) <= int(self.voxels.max()) < count:
            raise ValueError(f"voxels are not numbers of voxels, 0 to {count - 1}")
