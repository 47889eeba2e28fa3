"""What photos show: which voxels light reaches, and which pixels' rays meet any (SNeRG, section 4.3)."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import Cameras, Rays
from nfcore.kernels import Unavailable, in_parts, thread_count
from nfcore_snerg.compositing import composite, corners, look_up
from nfcore_snerg.lattice import sample
from nfcore_snerg.rendering import Renderer, arrays

#: About how many rays are traced; and how many at once.
_RAYS, _CHUNK = 1_500_000, 1 << 14


@torch.no_grad()
def visible(renderer: Renderer, cameras: Cameras) -> tuple[Tensor, Tensor]:
    """Return what ``cameras`` see of the voxels.

    Returns:
        (rows,) in [0, 1], the most light that reaches each voxel, and (n, height, width) bool, the pixels whose
        rays may meet something.

    """
    seen = torch.zeros(len(renderer.table))
    total = len(cameras) * cameras.height * cameras.width
    stride = max(1, math.ceil(math.sqrt(total / _RAYS)))
    hits = []
    for camera in cameras:
        rays = camera.rays()[:, ::stride, ::stride]
        shape = rays.origins.shape[1:3]
        met = torch.cat([_look(renderer, part, seen) for part in rays.flat().split(_CHUNK)])
        near = F.max_pool2d(met.float().view(1, *shape), 3, 1, 1)[0] > 0
        full = near.repeat_interleave(stride, 0).repeat_interleave(stride, 1)
        hits.append(full[: cameras.height, : cameras.width])
    return seen, torch.stack(hits)


def _look(renderer: Renderer, rays: Rays, seen: Tensor) -> Tensor:
    """Raise ``seen`` (rows,) to what ``rays`` (n, 3) show; return (n,) which of them meet something."""
    in_grid = renderer.rays(rays)
    if isinstance(renderer.kernels, Unavailable):
        atlas = renderer.atlas
        samples = sample(atlas.grid, atlas.slots, in_grid.origins, in_grid.directions, in_grid.near)
        _, light = composite(look_up(atlas, renderer.table, samples), samples.ray, len(rays))
        places, weights = corners(samples, atlas.rows.shape[1])
        rows = atlas.rows.view(-1)[places].long()
        seen.scatter_reduce_(0, rows.flatten(), (weights * light[:, None]).flatten(), "amax")
        return torch.zeros(len(rays)).index_add(0, samples.ray, light) > 0
    kernels, parts, met = renderer.kernels, thread_count(), np.zeros(len(rays), np.uint8)
    origins, directions, _, near = arrays(in_grid)
    found = np.zeros((parts, len(seen)), np.float32)

    def look(part: int) -> None:
        kernels.look(part, parts, origins, directions, near, renderer.record, found[part], met)

    in_parts(look, parts)
    torch.maximum(seen, torch.from_numpy(found.max(0)), out=seen)
    return torch.from_numpy(met) > 0
