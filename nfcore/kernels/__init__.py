"""Fused float32 kernels for radiance fields on a CPU, compiled on the user's machine by numba: no compiler needed.

``import nfcore.kernels`` imports neither torch nor numba. ``load`` compiles, or says why it can't; callers then
fall back to torch. The kernels know no method and no file format: they read and write arrays. One file is one step
of rendering or of training:

- ``records``: grids and paths as kernels take them, as named tuples and rows of numbers;
- ``traversal``: samples of a path in occupied cells; ``paths``: their positions; ``bits``: sets of a block's
  cells; ``marching``: the samples' sums;
- ``interpolation``, ``absorption`` with its ``density_table``: values and opacity at a sample; ``network``,
  ``ray_harmonics``: colour of a ray;
- ``compositing``: from gradients of a ray's sums to those of its samples; ``scattering``: and of the grid's rows;
- ``spaces``: rays through the cube of a bounded space; ``volumes``: look-ups in a dense volume over the cube;
- ``row_adam``: a step on the rows that were touched; ``smoothness``: the gradient of their roughness;
- ``occupancy``: which cells are occupied, and the distance to the nearest;
- ``vectors``: rows of 8 or 16 numbers at once; ``prefetching`` and ``huge_pages``: less waiting for memory;
  ``threads``: parts of the work on threads; ``compile``.

A function decorated with ``kernel`` may call all of them: a plugin composes its own kernel from these in a module
that it imports by ``load("its.module")`` only, which is what keeps machine code between processes. Kernels hold no
lock while they run and no state between calls, so several threads may run one at once. Sums run in an order that
depends on the number of threads alone.

    >>> from nfcore import kernels
    >>> loaded = kernels.load("nfcore.kernels.marching")
    >>> loaded.reason if isinstance(loaded, kernels.Unavailable) else loaded.march  # doctest: +ELLIPSIS
    CPUDispatcher(<function march at ...>)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcore.runtime.lazy_imports import lazy_names

if TYPE_CHECKING:
    from nfcore.kernels.absorption import absorbed as absorbed
    from nfcore.kernels.compile import Unavailable as Unavailable
    from nfcore.kernels.compile import kernel as kernel
    from nfcore.kernels.compile import load as load
    from nfcore.kernels.compile import without_kernels as without_kernels
    from nfcore.kernels.compositing import composite_backward as composite_backward
    from nfcore.kernels.compositing import samples_backward as samples_backward
    from nfcore.kernels.density_table import absorption_table as absorption_table
    from nfcore.kernels.huge_pages import on_huge_pages as on_huge_pages
    from nfcore.kernels.huge_pages import zeros as zeros
    from nfcore.kernels.interpolation import interpolate_row as interpolate_row
    from nfcore.kernels.marching import march as march
    from nfcore.kernels.network import network_backward as network_backward
    from nfcore.kernels.network import network_forward as network_forward
    from nfcore.kernels.occupancy import activate as activate
    from nfcore.kernels.occupancy import cell_opacities as cell_opacities
    from nfcore.kernels.occupancy import measure_gaps as measure_gaps
    from nfcore.kernels.occupancy import row_opacities as row_opacities
    from nfcore.kernels.paths import bent_place as bent_place
    from nfcore.kernels.paths import enter_grid as enter_grid
    from nfcore.kernels.paths import straight_place as straight_place
    from nfcore.kernels.ray_harmonics import HARMONICS as HARMONICS
    from nfcore.kernels.ray_harmonics import write_harmonics as write_harmonics
    from nfcore.kernels.records import AHEAD as AHEAD
    from nfcore.kernels.records import BLOCK as BLOCK
    from nfcore.kernels.records import MOST_SAMPLES as MOST_SAMPLES
    from nfcore.kernels.records import PATH_SIZE as PATH_SIZE
    from nfcore.kernels.records import SAMPLE_EXTRA as SAMPLE_EXTRA
    from nfcore.kernels.records import TOUCHED_AT_ONCE as TOUCHED_AT_ONCE
    from nfcore.kernels.records import WEIGHT as WEIGHT
    from nfcore.kernels.records import Bits as Bits
    from nfcore.kernels.records import Bytes as Bytes
    from nfcore.kernels.records import Floats as Floats
    from nfcore.kernels.records import Grid as Grid
    from nfcore.kernels.records import Ints as Ints
    from nfcore.kernels.records import Number as Number
    from nfcore.kernels.records import PathPart as PathPart
    from nfcore.kernels.records import SpaceRecord as SpaceRecord
    from nfcore.kernels.records import block_shape as block_shape
    from nfcore.kernels.records import network_size as network_size
    from nfcore.kernels.records import row_lanes as row_lanes
    from nfcore.kernels.records import touched_size as touched_size
    from nfcore.kernels.row_adam import move_rows as move_rows
    from nfcore.kernels.scattering import scatter as scatter
    from nfcore.kernels.smoothness import smooth as smooth
    from nfcore.kernels.spaces import RAY_SIZE as RAY_SIZE
    from nfcore.kernels.spaces import depth_in_space as depth_in_space
    from nfcore.kernels.spaces import enter_space as enter_space
    from nfcore.kernels.spaces import place_in_space as place_in_space
    from nfcore.kernels.threads import in_parts as in_parts
    from nfcore.kernels.threads import in_turn as in_turn
    from nfcore.kernels.threads import thread_count as thread_count
    from nfcore.kernels.vectors import add_scaled as add_scaled
    from nfcore.kernels.vectors import dot as dot
    from nfcore.kernels.volumes import block_at as block_at
    from nfcore.kernels.volumes import locate_vertex as locate_vertex
    from nfcore.kernels.volumes import sample_volume as sample_volume
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
