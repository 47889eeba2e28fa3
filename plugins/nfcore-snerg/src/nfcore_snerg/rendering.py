"""What rays see of voxels: by kernels where they run, by torch elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nfcore import Rays
from nfcore.kernels import Floats, Unavailable, in_parts, row_lanes, thread_count
from nfcore_snerg.atlas import Atlas
from nfcore_snerg.compositing import composite, look_up
from nfcore_snerg.frame import Frame
from nfcore_snerg.lattice import sample
from nfcore_snerg.network import ViewNetwork, shade


class GridRays(NamedTuple):
    """Rays in voxels.

    Args:
        origins: (n, 3) in voxels from the grid's corner.
        directions: (n, 3) unit vectors of the viewer's world.
        viewed: (n, 3) the same of the scene's world: what the network sees.
        near: (n,) where they begin, in voxels.

    """

    origins: Tensor
    directions: Tensor
    viewed: Tensor
    near: Tensor


@dataclass(frozen=True)
class Seen:
    """What n rays see; differentiable where torch computes it.

    Args:
        rgb: (n, 3) on the background.
        sums: (n, 8) opacity, colour and features summed along each ray.
        t: (n,) mean depth of what they see, in the rays' ``t``; 0 where nothing is.
        samples: how many samples it took.

    """

    rgb: Tensor
    sums: Tensor
    t: Tensor
    samples: int


class Renderer:
    """Renders rays through an atlas.

    Args:
        atlas: the voxels.
        table: (rows, 8) opacity and premultiplied values, contiguous float32; kernels read it where it is.
        network: of the direction.
        frame: the viewer's world.
        background: RGB.
        near: where rays begin, in their ``t``.
        kernels: ``nfcore_snerg.kernels``, loaded, or why there are none.

    """

    def __init__(
        self,
        atlas: Atlas,
        table: Tensor,
        network: ViewNetwork,
        frame: Frame,
        background: tuple[float, float, float],
        near: float,
        kernels: ModuleType | Unavailable,
    ) -> None:
        self.atlas, self.table, self.network, self.frame = atlas, table, network, frame
        self.background, self.near = torch.tensor(background), near
        self.kernels = kernels
        self.record: Any = None
        if not isinstance(kernels, Unavailable):
            self.record = kernels.AtlasRecord(
                table.detach().view(-1).numpy(),
                atlas.slots.view(-1).numpy(),
                atlas.rows.view(-1).numpy(),
                atlas.grid.shape,
                atlas.grid.blocks,
                atlas.grid.block,
                row_lanes(8),
            )

    def rays(self, rays: Rays) -> GridRays:
        """Return ``rays`` (n, 3) in voxels."""
        origins, directions = self.frame.rays(rays)
        length = rays.directions.norm(dim=1)
        near = self.near * length * self.frame.scale / self.atlas.grid.voxel
        viewed = rays.directions / length[:, None]
        return GridRays(self.atlas.grid.rays(origins).contiguous(), directions.contiguous(), viewed, near)

    def render(self, rays: Rays) -> Seen:
        """Return what ``rays`` (n, 3) see, without gradients."""
        in_grid = self.rays(rays)
        with torch.no_grad():
            seen = self.fused(in_grid) if self.record is not None else self.differentiable(in_grid, self.table)
        scale = self.atlas.grid.voxel / self.frame.scale
        opacity = seen.sums[:, 0]
        t = torch.where(opacity > 0, seen.t / opacity.clamp_min(1e-9) * scale, 0) / rays.directions.norm(dim=1)
        return Seen(seen.rgb, seen.sums, t, seen.samples)

    def fused(self, rays: GridRays) -> Seen:
        """Return what kernels see; ``t`` is summed by weight, in voxels."""
        n, parts = len(rays.near), thread_count()
        colours, sums, distances = (
            np.empty((n, 3), np.float32),
            np.empty((n, 8), np.float32),
            np.empty(n, np.float32),
        )
        arguments = (*arrays(rays), self.background.numpy(), self.record, *self.weights)

        def render(part: int) -> int:
            samples: int = self.kernels.render(part, parts, *arguments, colours, sums, distances)  # type: ignore[union-attr]
            return samples

        samples = sum(in_parts(render, parts))
        return Seen(torch.from_numpy(colours), torch.from_numpy(sums), torch.from_numpy(distances), samples)

    def differentiable(self, rays: GridRays, table: Tensor, jitter: Tensor | float = 0.5) -> Seen:
        """Return what torch sees of ``table``; ``t`` is summed by weight, in voxels."""
        n = len(rays.near)
        samples = sample(self.atlas.grid, self.atlas.slots, rays.origins, rays.directions, rays.near, jitter)
        values = look_up(self.atlas, table, samples)
        sums, light = composite(values, samples.ray, n)
        distances = torch.zeros(n).index_add(0, samples.ray, (light * values[:, 0]).detach() * samples.t)
        rgb = shade(self.network, sums, rays.viewed, self.background)
        return Seen(rgb, sums, distances, int((light > 0).sum()))

    @property
    def weights(self) -> tuple[Floats, tuple[int, ...]]:
        """The network's weights for kernels, and zeros as many as it is wide."""
        return self.network.weights.detach().numpy(), (0,) * self.network.hidden


def arrays(rays: GridRays) -> tuple[Floats, ...]:
    """Return rays for kernels."""
    return tuple(tensor.contiguous().numpy() for tensor in rays)
