"""The Sampler, from pose to points, and the Embedder, from points to features, which run before the network.

Names and shapes are those of MobileR2L's reference code and of Snap's lens project for it. Lens Studio stores
tensors channels last, and the lens's script copies one file's output into the next one's input unchanged:
(1, m, rays, d) with channels last is (rays, d, m), which is (1, d * m, rows, columns) with channels last.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nfcore import Cameras, LightField, ray_grid


class Sampler(nn.Module):
    """Maps a camera to the coordinates of the points along its rays.

    The rays are those of ``nfcore.ray_grid``, in products and sums of tensors of rank four: not all of SnapML's
    backends multiply matrices, and Lens Studio's tensors have at most four axes.

    Args:
        points: the first half of the student's encoding: rays, two (1, 3, h, w), to coordinates (1, d, h, w).
        student: the student, for the sizes of its images and ray grid.
        camera: the camera with the intrinsics, or None if they are the third input.

    """

    x: Tensor
    y: Tensor
    ones: Tensor
    columns: Tensor
    rows: Tensor

    def __init__(self, points: nn.Module, student: LightField, camera: Cameras | None) -> None:
        super().__init__()
        self.points = points
        height, width = student.grid
        self.register_buffer("ones", torch.ones(1, 1, height, width))
        if camera is None:
            self.register_buffer("columns", (torch.arange(width) + 0.5).reshape(1, 1, 1, -1) * student.scale)
            self.register_buffer("rows", (torch.arange(height) + 0.5).reshape(1, 1, -1, 1) * student.scale)
        else:
            seen = student.cameras
            _, directions = ray_grid(
                torch.eye(3, 4)[None], camera.intrinsics, seen.height, seen.width, student.scale
            )
            self.register_buffer("x", directions[:, 0:1].contiguous())
            self.register_buffer("y", directions[:, 1:2].contiguous())

    def forward(self, c2w33: Tensor, c2w13: Tensor, intrinsics: Tensor | None = None) -> Tensor:
        """Return coordinates (1, 1, rays, d), row after row of the grid.

        Args:
            c2w33: (1, 1, 3, 3), the rotation of the pose: columns are the camera's axes right, up and back.
            c2w13: (1, 1, 1, 3), the position of the camera, scene units.
            intrinsics: (1, 1, 1, 4), fx, fy, cx, cy in pixels of the image; None uses the camera's.

        """
        x, y = (self.x, self.y) if intrinsics is None else self._plane(intrinsics)
        right, up, back = (axis.reshape(1, 3, 1, 1) for axis in c2w33.chunk(3, 3))
        origins = c2w13.reshape(1, 3, 1, 1) * self.ones
        coordinates: Tensor = self.points(origins, x * right + y * up - self.ones * back)
        return coordinates.reshape(1, 1, coordinates.shape[1], -1).transpose(2, 3)

    def _plane(self, intrinsics: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rays' intersections with the plane at depth 1, x (1, 1, 1, w) and y (1, 1, h, 1)."""
        fx, fy, cx, cy = intrinsics.chunk(4, 3)
        return (self.columns - cx) / fx, (cy - self.rows) / fy


class Embedder(nn.Module):
    """Maps coordinates (1, 1, rays, d) to m features of each, (1, m, rays, d).

    Args:
        embedding: the second half of the student's encoding.

    """

    def __init__(self, embedding: nn.Module) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, rays: Tensor) -> Tensor:
        """Return the features; see the class."""
        features: Tensor = self.embedding(rays)
        return features
