"""Pinhole cameras and their rays.

World: right-handed, scene units. Poses are camera-to-world (3, 4) with OpenGL axes: x right, y up, the camera
looks down -z. Pixels: row-major, centres at +0.5. Ray directions are not normalised: their z is -1 in camera
space, so the ``t`` in ``origin + t * direction`` is depth along the optical axis, as in NeRF.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore.errors import UserError


@dataclass(frozen=True, repr=False)
class Rays:
    """A bundle of rays.

    Args:
        origins: (..., 3) float32, scene units.
        directions: (..., 3) float32, scene units; not normalised.
        footprint: (...) float32, the width of a ray's pixel (or block of pixels) at t = 1, scene units: at depth t
            it is t times as wide. None for rays that belong to no pixel.

    Example:
        >>> pose = torch.eye(4)[None, :3]
        >>> rays = Cameras(pose, torch.tensor([[100.0, 100.0, 4.0, 3.0]]), height=6, width=8).rays().flat()
        >>> rays
        Rays(48)
        >>> rays.footprint[0].item() * 5  # 5 scene units away, a pixel is 0.05 scene units wide
        0.04999999888241291

    """

    origins: Tensor
    directions: Tensor
    footprint: Tensor | None = None

    def __len__(self) -> int:
        return len(self.origins)

    def __repr__(self) -> str:
        return f"Rays({'x'.join(map(str, self.origins.shape[:-1]))})"

    def __getitem__(self, index: int | slice | Tensor | tuple[int | slice | Tensor, ...]) -> Rays:
        """Return some of the rays, indexed like a tensor of shape (...)."""
        footprint = None if self.footprint is None else self.footprint[index]
        return Rays(self.origins[index], self.directions[index], footprint)

    def flat(self) -> Rays:
        """Return the same rays as (n, 3)."""
        footprint = None if self.footprint is None else self.footprint.reshape(-1)
        return Rays(self.origins.reshape(-1, 3), self.directions.reshape(-1, 3), footprint)

    def split(self, size: int) -> Iterator[Rays]:
        """Yield consecutive bundles of at most ``size`` rays along the first axis; of no rays, one without any."""
        for start in range(0, max(1, len(self)), size):
            yield self[start : start + size]


@dataclass(frozen=True, repr=False)
class Cameras:
    """n pinhole cameras that share one image size.

    Args:
        poses: (n, 3, 4) float32, camera to world, OpenGL axes.
        intrinsics: (n, 4) float32, focal lengths and principal point fx, fy, cx, cy in pixels.
        height: image height in pixels.
        width: image width in pixels.

    Raises:
        UserError: the poses or the intrinsics have the wrong shape.

    Example:
        >>> Cameras(torch.eye(4)[None, :3], torch.tensor([[100.0, 100.0, 4.0, 3.0]]), height=6, width=8)
        Cameras(1 of 6x8)

    Indexed by a number, and iterated over, they are single cameras: n = 1.

    """

    poses: Tensor
    intrinsics: Tensor
    height: int
    width: int

    def __post_init__(self) -> None:
        n = self.poses.shape[:1]
        if self.poses.shape != (*n, 3, 4) or self.poses.ndim != 3 or self.intrinsics.shape != (*n, 4):
            raise UserError(
                f"cameras need poses (n, 3, 4) and intrinsics (n, 4), "
                f"not {tuple(self.poses.shape)} and {tuple(self.intrinsics.shape)}"
            )

    def __len__(self) -> int:
        return len(self.poses)

    def __repr__(self) -> str:
        return f"Cameras({len(self)} of {self.height}x{self.width})"

    def __getitem__(self, index: int | slice | Tensor | list[int]) -> Cameras:
        if isinstance(index, int):
            index = [index]
        return Cameras(self.poses[index], self.intrinsics[index], self.height, self.width)

    def __iter__(self) -> Iterator[Cameras]:
        return (self[index] for index in range(len(self)))

    def rays(self) -> Rays:
        """Return the rays through all pixel centres, (n, height, width, 3), with their footprints."""
        origins, directions = ray_grid(self.poses, self.intrinsics, self.height, self.width)
        footprint = self._pixel_widths()[:, None, None].expand(-1, self.height, self.width)
        return Rays(origins.permute(0, 2, 3, 1), directions.permute(0, 2, 3, 1), footprint)

    def pixel_rays(self, pixels: Tensor) -> Rays:
        """Return the rays through some pixels, with their footprints.

        Args:
            pixels: (m,) int64, linear indices into (n, height, width).

        Returns:
            Rays (m, 3).

        """
        per_view = self.height * self.width
        view, pixel = pixels.div(per_view, rounding_mode="floor"), pixels % per_view
        v, u = pixel.div(self.width, rounding_mode="floor") + 0.5, pixel % self.width + 0.5
        right, up, backward, origins = self.poses[view].unbind(2)
        fx, fy, cx, cy = self.intrinsics[view].unbind(1)
        x, y = ((u - cx) / fx)[:, None], (-(v - cy) / fy)[:, None]
        return Rays(origins, x * right + y * up - backward, self._pixel_widths()[view])

    def _pixel_widths(self) -> Tensor:
        """Return the width (n,) of a pixel at depth 1, scene units: the square root of its area."""
        return self.intrinsics[:, :2].prod(1).rsqrt()

    def cropped(self, top: Tensor, left: Tensor, height: int, width: int) -> Cameras:
        """Return cameras that see a window of ``height`` x ``width`` pixels whose corner is (top, left).

        ``top`` and ``left`` are (n,) pixels; a crop is the same camera with another principal point.
        """
        corner = torch.stack([torch.zeros_like(left), torch.zeros_like(left), left, top], 1)
        return Cameras(self.poses, self.intrinsics - corner, height, width)

    def resized(self, height: int, width: int) -> Cameras:
        """Return the same cameras with another image size; they see no more than these do.

        Focal lengths and principal point scale by one factor, the greater of the two sides' ratios: with another
        aspect ratio, the image is cropped around its centre.

        >>> camera = Cameras(torch.eye(4)[None, :3], torch.tensor([[100.0, 100.0, 4.0, 3.0]]), height=6, width=8)
        >>> camera.resized(12, 16).intrinsics
        tensor([[200., 200.,   8.,   6.]])
        """
        factor = max(height / self.height, width / self.width)
        margin = torch.tensor([0, 0, width - factor * self.width, height - factor * self.height])
        return Cameras(self.poses, factor * self.intrinsics + margin.to(self.intrinsics) / 2, height, width)

    def shrunk(self, side: int) -> Cameras:
        """Return the same cameras with images of at most ``side`` pixels along their longer side.

        >>> Cameras(torch.eye(4)[None, :3], torch.tensor([[100.0, 100.0, 4.0, 3.0]]), height=6, width=8).shrunk(4)
        Cameras(1 of 3x4)
        """
        factor = min(1.0, side / max(self.height, self.width))
        return self.resized(max(1, round(factor * self.height)), max(1, round(factor * self.width)))

    def to(self, device: torch.device | str) -> Cameras:
        """Return the cameras on ``device``."""
        return Cameras(self.poses.to(device), self.intrinsics.to(device), self.height, self.width)


#: How far R^T R may be from the identity: files that round to three digits pass, a scaled matrix does not.
RIGID = 0.01
# Numbers beyond the range of float32 would become infinite; no scene needs one even near it.
_FARTHEST = 1e9


def check_cameras(cameras: Cameras) -> None:
    """Check cameras that come from a file.

    Raises:
        UserError: there is none; a number is not finite, a pose is no rotation, a focal length is not positive.

    """
    if not len(cameras):
        raise UserError("it has no cameras")
    rotations = cameras.poses[:, :, :3].double()
    off = (rotations.mT @ rotations - torch.eye(3, dtype=torch.float64)).abs().amax((1, 2))
    sane = (cameras.poses.abs() <= _FARTHEST).flatten(1).all(1) & (cameras.intrinsics.abs() <= _FARTHEST).all(1)
    for fine, fault in (
        (sane, "a number that is not finite, or beyond 1e9"),
        ((off < RIGID) & (torch.linalg.det(rotations.nan_to_num()) > 0), "a pose that is no rotation"),
        ((cameras.intrinsics[:, :2] > 0).all(1), "a focal length that is not positive"),
    ):
        if not bool(fine.all()):
            raise UserError(f"camera {int((~fine).nonzero()[0])} has {fault}")


def ray_grid(poses: Tensor, intrinsics: Tensor, height: int, width: int, scale: int = 1) -> tuple[Tensor, Tensor]:
    """Return one ray through the centre of each ``scale`` x ``scale`` block of a height x width image.

    Args:
        poses: (b, 3, 4) camera to world.
        intrinsics: (b, 4) fx, fy, cx, cy in pixels of the full image.
        height: image height in pixels, a multiple of ``scale``.
        width: image width in pixels, a multiple of ``scale``.
        scale: pixels per ray along each side.

    Returns:
        Origins and directions, each (b, 3, height/scale, width/scale). Differentiable in poses and intrinsics.
        Only broadcasts, sums and products: this is the arithmetic that exporters trace.

    >>> pose, intrinsics = torch.eye(4)[None, :3], torch.tensor([[8.0, 8.0, 4.0, 2.0]])
    >>> origins, directions = ray_grid(pose, intrinsics, height=4, width=8, scale=2)
    >>> directions.shape
    torch.Size([1, 3, 2, 4])
    >>> directions[0, :, 0, 0]  # through the centre of the upper left 2 x 2 block: left, up, forwards
    tensor([-0.3750,  0.1250, -1.0000])

    """
    rows, columns = height // scale, width // scale
    v = ((torch.arange(rows, device=poses.device) + 0.5) * scale).to(poses.dtype)
    u = ((torch.arange(columns, device=poses.device) + 0.5) * scale).to(poses.dtype)
    fx, fy, cx, cy = (intrinsics[:, i, None, None, None] for i in range(4))
    right, up, backward, origins = (poses[:, :, i, None, None] for i in range(4))
    x, y = (u - cx) / fx, -(v[:, None] - cy) / fy
    return origins.expand(-1, -1, rows, columns), x * right + y * up - backward


def grid_shape(height: int, width: int, scale: int) -> tuple[int, int]:
    """Return the student's ray grid for an image, (height/scale, width/scale).

    Raises:
        UserError: a side is not a multiple of ``scale``; names sizes and scales that would fit.

    """
    if height % scale or width % scale:
        below = "x".join(str(max(1, side // scale) * scale) for side in (height, width))
        above = "x".join(str(math.ceil(side / scale) * scale) for side in (height, width))
        common = math.gcd(height, width)
        scales = [str(other) for other in range(2, 17) if common % other == 0] or ["1"]
        raise UserError(
            f"an image of {height}x{width} does not divide into {scale}x{scale} blocks; {below} or {above} would "
            f"fit, or a scale of {' or '.join(scales)}"
        )
    return height // scale, width // scale
