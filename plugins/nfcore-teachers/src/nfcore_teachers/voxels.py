"""The teacher ``voxels``: a sparse voxel grid with a small colour network for each sample.

Density and features are stored at voxel corners and are interpolated (DVGO, Sun et al. 2022); only voxels around
what is occupied are stored (Plenoxels, Fridovich-Keil et al. 2022). What it shares with ``deferred`` is in
``sparse_field``, including which kernels may do its work. A network for each sample takes about three times as
long, and shows what a ray's sums can't: several surfaces of different gloss behind each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

import nfcore
from nfcore import Budget, Rays, RaySource, Rendering, Reporter, Scene, Teacher
from nfcore_teachers.options import VoxelOptions
from nfcore_teachers.rendering import render_rays
from nfcore_teachers.sparse_field import Shading, SparseField
from nfcore_teachers.sparse_fit import fit_field

#: Values are features for the network, of any size within reason; they differ at first.
SHADING = Shading("nfcore_teachers.voxel_kernels", render_rays, -50.0, 50.0, (0.0, 0.1), 1.0)


class Voxels(Teacher):
    """A sparse voxel radiance field with a network for each sample.

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
        """Return density (n,) per scene unit, 0 where nothing is occupied, and features (n, f) at world points."""
        return self.volume.at(points)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load what ``state_dict`` gave; the number of voxels and occupancy cells is taken from it first."""
        self.volume.take_shapes(state_dict, "volume.")
        result = super().load_state_dict(state_dict, strict, assign)
        self.volume.loaded()
        return result
