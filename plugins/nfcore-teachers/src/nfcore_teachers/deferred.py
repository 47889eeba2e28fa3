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

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

import nfcore
from nfcore import BakedField, Budget, Rays, RaySource, Rendering, Reporter, Scene, Teacher
from nfcore.scene import Vector
from nfcore_teachers.deferred_rendering import render_deferred
from nfcore_teachers.fused_field import LEAST_TRANSMITTANCE
from nfcore_teachers.options import VoxelOptions
from nfcore_teachers.sparse_field import DENSITY_GAIN, DENSITY_SHIFT, Shading, SparseField
from nfcore_teachers.sparse_fit import fit_field
from nfcore_teachers.sparse_grid import corners_of

#: Values are colours, stored as they are: from black to white, and grey at first. The network adds little then.
SHADING = Shading("nfcore_teachers.deferred_kernels", render_deferred, 0.0, 1.0, (0.5, 0.1), 0.1)


class Deferred(Teacher):
    """A sparse voxel radiance field with a network for each ray.

    Args:
        options: see ``Options``.
        scene: the bounds of the scene.

    Raises:
        UserError: a forward-facing scene does not lie along -z of the world.

    """

    class Options(VoxelOptions):
        """How fine the field is, and how it is fitted."""

    options: Options

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.volume = SparseField(scene, self.options, SHADING)

    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Fit the field to the training views; with alpha, their visual hull is carved first.

        Raises:
            UserError: the silhouettes have nothing in common.
            NfcoreError: the loss is no longer a number at the first step.

        """
        fit_field(self, self.volume, source, budget, reporter)

    def render(self, rays: Rays) -> Rendering:
        """Return colour, opacity and depth along ``rays`` (n, 3).

        Raises:
            UserError: the rays have another shape.

        """
        return self.volume.render(rays)

    def field(self, points: Tensor) -> nfcore.Field:
        """Return density (n,) per scene unit, 0 where nothing is occupied, and values (n, v) at world points."""
        return self.volume.at(points)

    @torch.no_grad()
    def baked(self) -> BakedField:
        """Return the field as plain data: of the grid, only vertices of occupied voxels."""
        volume, grid = self.volume, self.volume.grid
        touched = corners_of(volume.occupancy.occupied).flatten()[grid.vertices].nonzero()[:, 0]
        touched = touched[grid.vertices[touched].argsort()]
        rows = torch.cat([touched.new_zeros(1), 1 + touched])
        low, high = grid.bounds()
        return BakedField(
            scene=volume.scene,
            box=volume.domain.box,
            shape=grid.shape,
            vertices=grid.vertices[touched].cpu(),
            table=grid.table.detach()[rows].cpu(),
            occupied=volume.occupancy.occupied.cpu().clone(),
            bounds=(_vector(low), _vector(high)),
            step=volume.march_step.item(),
            density_gain=DENSITY_GAIN,
            density_shift=DENSITY_SHIFT,
            density_scale=volume.density_scale,
            layers=tuple(
                (layer.weight.detach().cpu().clone(), layer.bias.detach().cpu().clone())
                for layer in volume.network.layers
            ),
            stop_transmittance=LEAST_TRANSMITTANCE,
        )

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load what ``state_dict`` gave; the number of voxels and occupancy cells is taken from it first."""
        self.volume.take_shapes(state_dict, "volume.")
        result = super().load_state_dict(state_dict, strict, assign)
        self.volume.loaded()
        return result


def _vector(tensor: Tensor) -> Vector:
    x, y, z = tensor.tolist()
    return x, y, z
