"""A sparse voxel field as ``nfcore.kernels`` take it: they work on its parameters where these are."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from nfcore import Rays
from nfcore.geometry import Domain, Paths, StraightPaths
from nfcore.kernels import (
    BLOCK,
    Bits,
    Bytes,
    Floats,
    Grid,
    Ints,
    absorption_table,
    block_shape,
    in_parts,
    on_huge_pages,
    row_lanes,
    thread_count,
)
from nfcore_teachers.colour_network import ColourNetwork
from nfcore_teachers.occupancy import OccupancyGrid
from nfcore_teachers.pixels import Pixels
from nfcore_teachers.rendering import RayColours
from nfcore_teachers.sparse_grid import SparseGrid, block_places

Result = TypeVar("Result")

#: Light that is left when a ray ends: what is behind changes no colour by more.
LEAST_TRANSMITTANCE = 1e-4
_LEAST = np.float32(LEAST_TRANSMITTANCE)


class FusedField:
    """What kernels know of one field at one resolution: make a new one when the grid's shape changes.

    Args:
        kernels: ``deferred_kernels`` or ``voxel_kernels``, loaded.
        grid: has one ``table`` of 8 or 16 numbers a vertex, raw density first.
        occupancy: of the grid's own voxels; ``occupy`` changes it.
        network: is asked for colours.
        domain: where the field is.
        step: distance between samples, in the domain's units.
        activation: gain, shift and scale of density = scale * softplus(gain * raw + shift).

    """

    def __init__(
        self,
        kernels: ModuleType,
        grid: SparseGrid,
        occupancy: OccupancyGrid,
        network: ColourNetwork,
        domain: Domain,
        step: float,
        activation: tuple[float, float, float],
    ) -> None:
        self.kernels, self.network, self.domain = kernels, network, domain
        self.grid, self.occupancy = grid, occupancy
        self.fit_threads: int | None = None
        self.table = grid.table
        self.bounds = grid.bounds()
        self.box = tuple(side.numpy() for side in (*self.bounds, grid.low, grid.spacing))
        gain, shift, scale = activation
        self.opacities = np.zeros(len(grid.cell_rows), np.float32)
        self.width = (0,) * network.hidden
        self.background = np.array(domain.scene.background, np.float32)
        shape, blocks = occupancy.shape, block_shape(occupancy.shape)
        stored = stored_bits(grid)
        self.record = Grid(
            on_huge_pages(self.table.detach().view(-1).numpy()),
            on_huge_pages(grid.cell_rows.view(-1).numpy()),
            stored,
            np.zeros_like(stored),
            1 + first_cells(stored),
            np.zeros(len(stored), np.uint8),
            shape,
            blocks,
            np.float32(step),
            absorption_table(gain, shift, scale * step),
            domain.scene.unbounded,
            row_lanes(self.table.shape[1]),
        )
        self.opacities[1:] = occupancy.occupied.view(-1)[grid.cell_places()].numpy()
        self._activate(np.float32(0.5))

    def is_of(self, grid: SparseGrid) -> bool:
        """Whether it still works on the parameters of ``grid``, which may have been replaced."""
        return self.table is grid.table and self.record.table.ctypes.data == grid.table.data_ptr()

    def occupy(self, threshold: float) -> None:
        """Find out which cells are occupied now: see ``SparseField.update_occupancy``."""
        by_row = np.empty(len(self.table), np.float32)
        self._in_ranges(len(by_row), lambda *rows: self.kernels.row_opacities(self.record, *rows, by_row))

        def look(first: int, last: int) -> tuple[float, int]:
            seen: tuple[float, int] = self.kernels.cell_opacities(self.record, first, last, by_row, self.opacities)
            return seen

        sums, counts = zip(*self._in_ranges(len(self.record.gap), look), strict=True)
        if count := sum(counts):
            threshold = min(threshold, sum(sums) / count)
        self._activate(np.float32(threshold))

    def _activate(self, threshold: Any) -> None:
        occupied: Bytes = self.occupancy.occupied.view(torch.uint8).view(-1).numpy()
        candidates: Bytes = self.occupancy.candidates.view(torch.uint8).view(-1).numpy()

        def activate(first: int, last: int) -> None:
            self.kernels.activate(self.record, first, last, candidates, self.opacities, threshold, occupied)

        self._in_ranges(len(self.record.gap), activate)
        self.kernels.measure_gaps(self.record)

    def _in_ranges(self, count: int, work: Callable[[int, int], Result]) -> list[Result]:
        """Return what ``work`` returns for ranges of ``count`` things, first and after the last, one a thread."""
        parts = self.parts
        return in_parts(lambda part: work(count * part // parts, count * (part + 1) // parts), parts)

    @property
    def parts(self) -> int:
        """How many threads work on it: as many as torch has, or ``fit_threads`` while it is fitted."""
        return self.fit_threads or thread_count()

    def render(self, rays: Rays) -> RayColours:
        """Return what ``rays`` (n, 3) see, on the calling thread; no gradients."""
        paths, records, directions = self._prepare(rays)
        n, weights = len(rays), self.network.weights.detach().numpy()
        rgb, opacity, distance = np.empty((n, 3), np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
        samples: int = self.kernels.render(
            records, directions, self.background, self.record, weights, self.width, _LEAST, rgb, opacity, distance
        )
        opacities = torch.from_numpy(opacity)
        depth = paths.mean_depth(torch.from_numpy(distance), opacities)
        return RayColours(torch.from_numpy(rgb), opacities, depth, samples)

    def differentiate(
        self, pixels: Pixels, jitter: Tensor, alpha_weight: float, gradients: Floats, touched: Bytes
    ) -> tuple[float, int]:
        """Add the gradient of the loss of some pixels; return the mean squared error of colours and the samples.

        The error is not finite if a gradient is not. The network's gradients are set.

        Args:
            pixels: n rays and what they should see.
            jitter: (n,) in [0, 1), places of the first samples in their steps.
            alpha_weight: what the mean squared error of opacities counts in the loss.
            gradients: (threads, rows * c), added to: the table's, one part a thread.
            touched: (threads, rows), 1 is written where something was added.

        """
        _, records, directions = self._prepare(pixels.rays)
        weights, parts = self.network.weights.detach().numpy(), len(gradients)
        weight_gradients = np.zeros((parts, len(weights)), np.float32)
        targets, places = pixels.colours.contiguous().numpy(), jitter.numpy()
        alpha = np.zeros(len(places), np.float32) if pixels.alpha is None else pixels.alpha.contiguous().numpy()
        counts = np.float32(0 if pixels.alpha is None else alpha_weight)

        def train(part: int) -> tuple[float, int]:
            seen: tuple[float, int] = self.kernels.train(
                part, parts, records, directions, places, targets, alpha, counts, self.background, self.record,
                weights, self.width, _LEAST, gradients[part], touched[part], weight_gradients[part],
            )  # fmt: skip
            return seen

        errors, samples = zip(*in_parts(train, parts), strict=True)
        total: Floats = weight_gradients.sum(0)
        self.network.weights.grad = torch.from_numpy(total)
        error = sum(errors) / (3 * len(places))
        return error if np.isfinite(total).all() else math.nan, sum(samples)

    def _prepare(self, rays: Rays) -> tuple[Paths, Floats, Floats]:
        """Return the rays' paths, their records and their directions."""
        paths, directions = self.domain.paths(rays), rays.directions.contiguous().numpy()
        if isinstance(paths, StraightPaths):
            records = np.ascontiguousarray(paths.records(paths.near, paths.far).numpy().T)
            self.kernels.enter_grid(records, *self.box)
        else:
            near, far = paths.clipped(*self.bounds)
            cells = paths.in_units(self.grid.low, self.grid.spacing)
            records = np.ascontiguousarray(cells.records(near, far).numpy().T)
        return paths, records, directions


def stored_bits(grid: SparseGrid) -> Bits:
    """Return which cells of each block are stored, as ``nfcore.kernels.Grid`` has it."""
    shape = block_shape(grid.cell_shape)
    bits = np.zeros(math.prod(shape) * BLOCK**3, np.uint8)
    bits[block_places(torch.unravel_index(grid.cells, grid.shape), shape).numpy()] = 1
    # A number's lowest bit is in its first byte: all machines that numba compiles for are little-endian.
    packed: Bits = np.packbits(bits, bitorder="little").view(np.uint64)
    return packed


def first_cells(stored: Bits) -> Ints:
    """Return how many cells are stored before each block."""
    counts = np.bitwise_count(stored)
    before: Ints = (np.cumsum(counts, dtype=np.int64) - counts).astype(np.int32)
    return before
