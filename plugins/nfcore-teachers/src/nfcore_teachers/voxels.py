"""The teacher ``voxels``: a sparse voxel grid with a small colour network for each sample.

Density and features are stored at voxel corners and are interpolated (DVGO, Sun et al. 2022); only voxels around
what is occupied are stored (Plenoxels, Fridovich-Keil et al. 2022). What it shares with ``deferred`` is in
``sparse_field``, including which kernels may do its work. A network for each sample takes about three times as
long, and shows what a ray's sums can't: several surfaces of different gloss behind each other.
"""

from __future__ import annotations

from nfcore_teachers.rendering import render_rays
from nfcore_teachers.sparse_field import Shading
from nfcore_teachers.sparse_teacher import SparseTeacher


class Voxels(SparseTeacher):
    """A sparse voxel radiance field with a network for each sample."""

    # Values are features for the network, of any size within reason; they differ at first.
    shading = Shading("nfcore_teachers.voxel_kernels", render_rays, -50.0, 50.0, (0.0, 0.1), 1.0)
