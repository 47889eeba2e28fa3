"""Where the viewer samples a ray: every voxel's length through stored blocks, from the exit of each empty one.

This is the loop of the official fragment shader without what it looks up: t is in voxels. A ray starts half a step
behind its entry into the grid. Where it is in an empty block, it continues half a step behind the block's exit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore_snerg.frame import VoxelGrid

# Stands in for a smaller component of a direction, where a division would overflow.
_PARALLEL = 1e-9


@dataclass(frozen=True)
class Samples:
    """m samples of some rays, packed: ray by ray, each from front to back.

    Args:
        ray: (m,) int64.
        t: (m,) distance from the ray's origin, in voxels.
        slot: (m,) int64, the stored block that it is in.
        place: (m, 3) in voxels from the corner of the block's border.

    """

    ray: Tensor
    t: Tensor
    slot: Tensor
    place: Tensor


@torch.no_grad()
def sample(
    grid: VoxelGrid, slots: Tensor, origins: Tensor, directions: Tensor, near: Tensor, jitter: Tensor | float = 0.5
) -> Samples:
    """Return all samples in stored blocks, as if nothing was opaque.

    Args:
        grid: the voxels.
        slots: (x, y, z) int32, see ``Atlas``.
        origins: (n, 3) in voxels, see ``VoxelGrid.rays``.
        directions: (n, 3) unit vectors.
        near: (n,) where rays begin, in voxels.
        jitter: (n,) in [0, 1), how far behind an entry or an exit samples begin; 0.5 is the viewer's.

    """
    inverse = 1 / torch.where(
        directions.abs() < _PARALLEL, directions.sign().add(0.5).sign() * _PARALLEL, directions
    )
    shape, last = origins.new_tensor(grid.shape), torch.tensor(grid.blocks) - 1
    entry, leave = _crossing(torch.zeros(3), shape, origins, inverse)
    offset = jitter if isinstance(jitter, Tensor) else torch.full_like(near, jitter)
    t = torch.maximum(near, entry) + offset
    alive = (entry <= leave).nonzero()[:, 0]
    block = torch.zeros_like(origins)
    exits = torch.full_like(t, -math.inf)
    found: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for _ in range(math.ceil(math.hypot(*grid.shape))):
        alive = alive[t[alive] < leave[alive]]
        if not len(alive):
            break
        at = origins[alive] + directions[alive] * t[alive, None]
        entered = t[alive] > exits[alive]
        new = alive[entered]
        block[new] = (at[entered] / grid.block).floor() * grid.block
        exits[new] = _crossing(block[new], block[new] + grid.block, origins[new], inverse[new])[1]
        index = (block[alive] / grid.block).long().clamp_min(0).minimum(last)
        slot = slots[index[:, 0], index[:, 1], index[:, 2]].long()
        stored = slot >= 0
        rays = alive[stored]
        place = (at[stored] - block[rays]).clamp(0, grid.block) + 1
        found.append((rays, t[rays], slot[stored], place))
        t[rays] += 1
        skipped = alive[~stored]
        t[skipped] = offset[skipped] + exits[skipped]
    return _packed(found)


def _crossing(low: Tensor, high: Tensor, origins: Tensor, inverse: Tensor) -> tuple[Tensor, Tensor]:
    """Return where lines enter and leave boxes, (n,) each (Kay and Kajiya 1986)."""
    first, second = (low - origins) * inverse, (high - origins) * inverse
    return torch.minimum(first, second).amax(1), torch.maximum(first, second).amin(1)


def _packed(found: list[tuple[Tensor, Tensor, Tensor, Tensor]]) -> Samples:
    if not found:
        nothing = torch.zeros(0, dtype=torch.int64)
        return Samples(nothing, torch.zeros(0), nothing, torch.zeros(0, 3))
    ray, t, slot, place = (torch.cat(parts) for parts in zip(*found, strict=True))
    order = ray.argsort(stable=True)
    return Samples(ray[order], t[order], slot[order], place[order])
