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

import torch
from torch import Tensor

from nfcore import BakedField
from nfcore.scene import Vector
from nfcore_teachers.deferred_rendering import render_deferred
from nfcore_teachers.fused_field import LEAST_TRANSMITTANCE
from nfcore_teachers.sparse_field import DENSITY_GAIN, DENSITY_SHIFT, Shading
from nfcore_teachers.sparse_grid import corners_of
from nfcore_teachers.sparse_teacher import SparseTeacher


class Deferred(SparseTeacher):
    """A sparse voxel radiance field with a network for each ray."""

    # Values are colours, stored as they are: from black to white, and grey at first. The network adds little then.
    shading = Shading("nfcore_teachers.deferred_kernels", render_deferred, 0.0, 1.0, (0.5, 0.1), 0.1)

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


def _vector(tensor: Tensor) -> Vector:
    x, y, z = tensor.tolist()
    return x, y, z
