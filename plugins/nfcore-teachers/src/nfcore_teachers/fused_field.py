"""A deferred field as ``nfcore.kernels`` take it: they work on its parameters where these are."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nfcore import Rays
from nfcore.geometry import Domain, Paths
from nfcore.kernels import MOST_THREADS, Bytes, Floats, Grid, absorption_table, block_shape, in_parts, row_lanes
from nfcore_teachers.occupancy import OccupancyGrid
from nfcore_teachers.pixels import Pixels
from nfcore_teachers.ray_network import RayNetwork
from nfcore_teachers.rendering import RayColours
from nfcore_teachers.sparse_grid import SparseGrid

#: Light that is left when a ray ends: what is behind changes no colour by more.
LEAST_TRANSMITTANCE = 1e-4
_LEAST = np.float32(LEAST_TRANSMITTANCE)


class FusedField:
    """What kernels know of one field at one resolution: make a new one when the grid's shape changes.

    Args:
        kernels: ``deferred_kernels``, loaded.
        grid: has one ``table`` of 8 or 16 numbers a vertex, raw density first.
        occupancy: of the grid's own voxels; ``occupy`` changes it.
        network: is asked once for a ray.
        domain: where the field is.
        step: distance between samples, in the domain's units.
        activation: gain, shift and scale of density = scale * softplus(gain * raw + shift).

    """

    def __init__(
        self,
        kernels: ModuleType,
        grid: SparseGrid,
        occupancy: OccupancyGrid,
        network: RayNetwork,
        domain: Domain,
        step: float,
        activation: tuple[float, float, float],
    ) -> None:
        self.kernels, self.network, self.domain = kernels, network, domain
        self.grid, self.occupancy = grid, occupancy
        self.table = grid.table
        self.bounds = grid.bounds()
        gain, shift, scale = activation
        shape, blocks = occupancy.shape, block_shape(occupancy.shape)
        x, y, z = torch.unravel_index(grid.cells, grid.shape)
        places = ((x * shape[1] + y) * shape[2] + z).int().numpy()
        self.places = np.concatenate([np.zeros(1, np.int32), places])
        self.opacities = np.zeros(len(self.places), np.float32)
        self.width = (0,) * network.first.out_features
        self.background = np.array(domain.scene.background, np.float32)
        self.record = Grid(
            self.table.detach().view(-1).numpy(),
            grid.cell_rows.view(-1).numpy(),
            np.zeros(int(np.prod(shape)), np.int32),
            np.zeros(int(np.prod(blocks)), np.uint8),
            shape,
            blocks,
            np.float32(step),
            absorption_table(gain, shift, scale * step),
            domain.scene.unbounded,
            row_lanes(self.table.shape[1]),
        )
        self.opacities[1:] = occupancy.occupied.view(-1)[torch.from_numpy(places).long()].numpy()
        self._activate(np.float32(0.5))

    def is_of(self, grid: SparseGrid) -> bool:
        """Whether it still works on the parameters of ``grid``, which may have been replaced."""
        return self.table is grid.table and self.record.table.ctypes.data == grid.table.data_ptr()

    def occupy(self, threshold: float) -> None:
        """Find out which cells are occupied now: see ``Deferred.update_occupancy``."""
        cells, parts = len(self.places), threads()

        def look(part: int) -> None:
            first, last = (cells * (part + side) // parts for side in (0, 1))
            self.kernels.cell_opacities(self.record, max(1, first), last, self.opacities)

        occupied = self.record.active[self.places] > 0
        in_parts(look, parts)
        if occupied[1:].any():
            threshold = min(threshold, float(self.opacities[occupied].mean()))
        self._activate(np.float32(threshold))

    def _activate(self, threshold: Any) -> None:
        full: Bytes = np.zeros(len(self.record.gap), np.uint8)
        occupied: Bytes = self.occupancy.occupied.view(torch.uint8).view(-1).numpy()
        chosen: Bytes = self.occupancy.candidates.view(torch.uint8).view(-1).numpy()
        self.kernels.activate(
            self.record, len(self.places), self.places, chosen, self.opacities, threshold, full, occupied
        )
        self.kernels.measure_gaps(self.record, full)

    def render(self, rays: Rays) -> RayColours:
        """Return what ``rays`` (n, 3) see; no gradients."""
        paths, records, directions = self._prepare(rays)
        n, parts, weights = len(rays), threads(), self.network.weights()
        rgb, opacity, distance = np.empty((n, 3), np.float32), np.empty(n, np.float32), np.empty(n, np.float32)

        def render(part: int) -> int:
            samples: int = self.kernels.render(
                part, parts, records, directions, self.background, self.record, weights, self.width, _LEAST,
                rgb, opacity, distance,
            )  # fmt: skip
            return samples

        samples = sum(in_parts(render, parts))
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
        weights, parts = self.network.weights(), len(gradients)
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
        self.network.set_gradients(total)
        error = sum(errors) / (3 * len(places))
        return error if np.isfinite(total).all() else math.nan, sum(samples)

    def _prepare(self, rays: Rays) -> tuple[Paths, Floats, Floats]:
        """Return the rays' paths, their records and their directions."""
        paths = self.domain.paths(rays)
        low, high = self.bounds
        near, far = paths.clipped(low, high)
        cells = paths.in_units(self.grid.low, self.grid.spacing)
        return (
            paths,
            np.ascontiguousarray(cells.records(near, far).numpy().T),
            rays.directions.contiguous().numpy(),
        )


def threads() -> int:
    """Return how many threads kernels use: as many as torch, within reason."""
    return min(MOST_THREADS, torch.get_num_threads())
