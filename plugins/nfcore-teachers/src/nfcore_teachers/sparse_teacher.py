"""What ``deferred`` and ``voxels`` are: a sparse field with its own shading, as a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

import nfcore
from nfcore import Budget, Rays, RaySource, Rendering, Reporter, Scene, Teacher
from nfcore_teachers.options import VoxelOptions
from nfcore_teachers.sparse_field import Shading, SparseField
from nfcore_teachers.sparse_fit import fit_field


class SparseTeacher(Teacher):
    """A sparse voxel radiance field.

    Args:
        options: see ``Options``.
        scene: the bounds of the scene.

    Raises:
        UserError: a forward-facing scene does not lie along -z of the world.

    """

    #: How colour comes from the values that are stored.
    shading: ClassVar[Shading]

    class Options(VoxelOptions):
        """How fine the field is, and how it is fitted."""

    options: Options

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.volume = SparseField(scene, self.options, self.shading)

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

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load what ``state_dict`` gave; the number of voxels and occupancy cells is taken from it first."""
        self.volume.take_shapes(state_dict, "volume.")
        result = super().load_state_dict(state_dict, strict, assign)
        self.volume.loaded()
        return result
