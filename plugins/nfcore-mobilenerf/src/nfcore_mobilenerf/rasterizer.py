"""Triangles to texels: which texels of a texture each sample of an image shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nfcore import Cameras, UserError
from nfcore.kernels import Unavailable, in_parts, load, thread_count
from nfcore_mobilenerf.mesh import Quads

Result = TypeVar("Result")

#: Samples along each side of a pixel, as in the paper (section 3.4, "anti-aliasing").
SUPERSAMPLING = 2
#: How far a quad's corners are from its texels' border, in texels: rounding must not show a neighbour's texel.
INSET = 1 / 64


@dataclass(frozen=True)
class Triangles:
    """Triangles with a texture.

    Args:
        vertices: (v, 3) float32, world, scene units.
        corners: (m, 3) int32, rows of ``vertices``.
        coordinates: (m, 3, 2) float64 of the corners in the texture: columns and rows of texels.
        stride: columns of the texture.

    """

    vertices: Tensor
    corners: Tensor
    coordinates: Tensor
    stride: int

    @classmethod
    def of_quads(cls, quads: Quads, texels: int) -> Triangles:
        """Return the triangles of quads of ``texels`` x ``texels``, in a texture that has one above the other.

        Its texels are numbered quad by quad, row by row.
        """
        halves = torch.tensor([[0, 1, 2], [0, 2, 3]])
        near, far = INSET, texels - INSET
        square = torch.tensor([[near, near], [far, near], [far, far], [near, far]], dtype=torch.float64)
        rows = torch.arange(len(quads), dtype=torch.float64) * texels
        coordinates = square[halves].repeat(len(quads), 1, 1, 1)
        coordinates[..., 1] += rows[:, None, None]
        return cls(quads.vertices, quads.corners[:, halves].reshape(-1, 3), coordinates.reshape(-1, 3, 2), texels)

    def samples(
        self,
        camera: Cameras,
        layers: int = 1,
        opaque: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the nearest texels at the four samples of every pixel, on the CPU.

        Args:
            camera: one.
            layers: how many texels, one behind the other.
            opaque: (rows * columns,) bool, which texels are there; None: all are.

        Returns:
            Their numbers, (height, width, 4, layers) int32, row by row in the texture and -1 where nothing is; and
            their depths along the optical axis, float32, infinite where nothing is.

        Raises:
            UserError: kernels can't run here.

        """
        kernel = prepared()
        side = SUPERSAMPLING
        pose, intrinsics = camera.poses[0].cpu(), side * camera.intrinsics[0].cpu()
        places = (self.vertices - pose[:, 3]) @ pose[:, :3]
        shape = camera.height * side, camera.width * side, layers
        depth, texel = np.full(shape, np.inf, np.float32), np.full(shape, -1, np.int32)
        there = torch.zeros(0, dtype=torch.uint8) if opaque is None else opaque.to(torch.uint8)
        geometry = places.contiguous().numpy(), self.corners.numpy(), self.coordinates.numpy()
        kernel.rasterize(*geometry, self.stride, there.numpy(), intrinsics.float().numpy(), depth, texel)
        return _by_pixel(texel), _by_pixel(depth)


def on_views(work: Callable[[int], Result], views: int) -> list[Result]:
    """Return ``work`` of each of so many views, on all threads."""
    parts = max(1, min(thread_count(), views))

    def some(part: int) -> list[Result]:
        return [work(view) for view in range(part, views, parts)]

    found = in_parts(some, parts)
    return [found[view % parts][view // parts] for view in range(views)]


def prepared(say: Callable[[str], None] | None = None) -> Any:
    """Return the kernel's module; ``say`` is called with a line when it is compiled.

    Raises:
        UserError: kernels can't run here.

    """
    loaded = load("nfcore_mobilenerf.raster_kernel", say)
    if isinstance(loaded, Unavailable):
        raise UserError(f"polygons are drawn by compiled kernels only: {loaded.reason.partition(': torch')[0]}")
    return loaded


def _by_pixel(samples: NDArray[Any]) -> Tensor:
    """Return (height, width, 4, layers) of samples (2 height, 2 width, layers)."""
    side, (height, width, layers) = SUPERSAMPLING, samples.shape
    found = torch.from_numpy(samples).view(height // side, side, width // side, side, layers)
    return found.transpose(1, 2).reshape(height // side, width // side, side * side, layers)
