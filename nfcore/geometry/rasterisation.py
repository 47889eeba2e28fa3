"""Rasterisation of triangles: the first one that the ray through each pixel's centre hits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nfcore import kernels
from nfcore.errors import UserError
from nfcore.scene.cameras import Cameras


@dataclass(frozen=True)
class Hits:
    """What the rays through the pixels' centres hit first.

    Args:
        face: (h, w) int64, the triangle; -1 where there is none.
        weights: (h, w, 3) float32, barycentric coordinates of the point in its triangle; 0 where there is none.
        depth: (h, w) float32 along the optical axis, scene units; infinite where there is none.

    """

    face: Tensor
    weights: Tensor
    depth: Tensor

    def interpolate(self, triangles: Tensor, values: Tensor) -> Tensor:
        """Return values (h, w, c) at the points that are hit, for those of the vertices (v, c); 0 elsewhere."""
        corners = values[triangles[self.face.clamp_min(0)]]
        return (self.weights[..., None] * corners).sum(2)


def rasterise(vertices: Tensor, triangles: Tensor, camera: Cameras) -> Hits:
    """Return what one camera sees of triangles, from both sides.

    Args:
        vertices: (v, 3), scene units.
        triangles: (t, 3) int64, indices of vertices.
        camera: one, of any size.

    Raises:
        UserError: numba is missing or can't compile here.

    >>> floor = torch.tensor([[-1.0, -1.0, -2.0], [3.0, -1.0, -2.0], [-1.0, 3.0, -2.0]])
    >>> camera = nfcore.Cameras(torch.eye(4)[None, :3], torch.tensor([[2.0, 2.0, 1.0, 1.0]]), height=2, width=2)
    >>> rasterise(floor, torch.tensor([[0, 1, 2]]), camera).depth
    tensor([[2., 2.],
            [2., 2.]])
    """
    pose = camera.poses[0].double().cpu()
    # Camera space with z along the optical axis, y down: directions of pixels grow with column and row.
    local = (vertices.double().cpu() - pose[:, 3]) @ pose[:, :3] * torch.tensor([1.0, -1.0, -1.0]).double()
    fx, fy, cx, cy = camera.intrinsics[0].tolist()
    start, step = ((0.5 - cx) / fx, (0.5 - cy) / fy), (1 / fx, 1 / fy)
    height, width = camera.height, camera.width
    loaded = kernels.load("nfcore.kernels.rasterising")
    if isinstance(loaded, kernels.Unavailable):
        raise UserError(f"triangles can't be drawn: {loaded.reason}")
    face = np.full((height, width), -1, np.int64)
    weights = np.zeros((height, width, 2), np.float32)
    depth = np.full((height, width), loaded.NOTHING)
    points, indices = local.contiguous().numpy(), triangles.long().cpu().contiguous().numpy()
    bands = min(kernels.thread_count(), height)

    def draw(band: int) -> None:
        rows = band * height // bands, (band + 1) * height // bands
        loaded.rasterise(points, indices, *start, *step, *rows, face, weights, depth)

    kernels.in_parts(draw, bands)
    covered = torch.from_numpy(face) >= 0
    others = torch.from_numpy(weights)
    first = (1 - others.sum(2, keepdim=True)) * covered[..., None]
    return Hits(
        torch.from_numpy(face),
        torch.cat([first, others], 2),
        torch.from_numpy(depth).masked_fill(~covered, torch.inf).float(),
    )
