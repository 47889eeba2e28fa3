"""Novel poses around the point that a set of cameras looks at: for pseudo views, orbit videos and viewers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.geometry.uprightness import upright
from nfcore.scene.cameras import Cameras


def look_at(eyes: Tensor, target: Tensor, up: Tensor) -> Tensor:
    """Return OpenGL poses (n, 3, 4) at ``eyes`` (n, 3) that look at ``target`` (3,) or (n, 3), ``up`` (3,) up.

    A camera that looks along ``up`` itself has no defined roll; one is chosen.

    >>> look_at(torch.tensor([[0.0, -4.0, 0.0]]), target=torch.zeros(3), up=torch.tensor([0.0, 0.0, 1.0])).shape
    torch.Size([1, 3, 4])
    """
    backward = F.normalize(eyes - target, dim=-1)
    right = torch.linalg.cross(up.expand_as(backward), backward)
    other = torch.eye(3, dtype=up.dtype)[int(up.abs().argmin())]
    fallback = torch.linalg.cross(other.expand_as(backward), backward)
    right = F.normalize(torch.where(right.norm(dim=-1, keepdim=True) < 1e-3, fallback, right), dim=-1)
    return torch.stack([right, torch.linalg.cross(backward, right), backward, eyes], dim=-1)


@dataclass(frozen=True)
class OrbitRegion:
    """The shell around a point that a set of inward-looking cameras fills.

    Args:
        target: (3,) the point that the optical axes come nearest to.
        up: (3,) unit vector.
        radius: least and greatest distance to ``target``, scene units.
        height: least and greatest sine of the elevation over the plane through ``target``, in [-1, 1].

    >>> region = nfcore.OrbitRegion(torch.zeros(3), torch.tensor([0.0, 0.0, 1.0]), (4.0, 4.0), (0.0, 0.5))
    >>> region.circle(8)[:, :, 3].norm(dim=1)
    tensor([4., 4., 4., 4., 4., 4., 4., 4.])

    """

    target: Tensor
    up: Tensor
    radius: tuple[float, float]
    height: tuple[float, float]

    @classmethod
    def around(cls, cameras: Cameras) -> OrbitRegion:
        """Return the region that ``cameras`` fill; nothing about the scene is assumed."""
        target = nearest_point_to_axes(cameras.poses)
        up = upright(cameras.poses)
        offsets = cameras.poses[:, :, 3] - target
        radius = offsets.norm(dim=-1)
        height = (offsets @ up) / radius.clamp_min(1e-9)
        return cls(target, up, _range(radius), _range(height))

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return ``n`` poses (n, 3, 4), uniform over the shell's area and radius, that look at the target."""
        azimuth, height, radius = torch.rand(3, n, generator=generator).unbind()
        return self.poses(
            2 * math.pi * azimuth,
            self.height[0] + height * (self.height[1] - self.height[0]),
            self.radius[0] + radius * (self.radius[1] - self.radius[0]),
        )

    def circle(self, n: int) -> Tensor:
        """Return ``n`` poses (n, 3, 4) evenly around the target, at the region's mean height and radius."""
        azimuth = torch.arange(n) * (2 * math.pi / n)
        return self.poses(
            azimuth,
            torch.full((n,), sum(self.height) / 2),
            torch.full((n,), sum(self.radius) / 2),
        )

    def poses(self, azimuth: Tensor, height: Tensor, radius: Tensor) -> Tensor:
        """Return poses (n, 3, 4) from azimuth in radians, sine of the elevation, and distance, each (n,)."""
        east, north = _plane(self.up)
        flat = (1 - height**2).clamp_min(0).sqrt()
        around = azimuth.cos()[:, None] * east + azimuth.sin()[:, None] * north
        eyes = self.target + radius[:, None] * (flat[:, None] * around + height[:, None] * self.up)
        return look_at(eyes, self.target, self.up)


def tour(cameras: Cameras, n: int) -> Tensor:
    """Return ``n`` poses (n, 3, 4) on a closed loop around the point that ``cameras`` look at.

    A full circle at their mean height and distance; if they leave out more than a quarter of it, back and forth
    along the rest.
    """
    region = OrbitRegion.around(cameras)
    azimuth = _turns(cameras, region, torch.arange(n) / n)
    return region.poses(
        azimuth, torch.full((n,), sum(region.height) / 2), torch.full((n,), sum(region.radius) / 2)
    )


def spiral(cameras: Cameras, n: int, turns: int = 2) -> Tensor:
    """Return ``n`` poses (n, 3, 4) on a closed spiral, up and down around the point that ``cameras`` look at.

    ``turns`` turns as in ``tour``, between the least and the greatest height, at the mean distance.
    """
    region = OrbitRegion.around(cameras)
    done = torch.arange(n) / n
    height = region.height[0] + (region.height[1] - region.height[0]) * (1 - (2 * math.pi * done).cos()) / 2
    azimuth = _turns(cameras, region, turns * done)
    return region.poses(azimuth, height, torch.full((n,), sum(region.radius) / 2))


def _turns(cameras: Cameras, region: OrbitRegion, done: Tensor) -> Tensor:
    """Return the azimuth (n,) in radians after ``done`` (n,) turns: full circles, or back and forth over a gap."""
    east, north = _plane(region.up)
    offsets = cameras.poses[:, :, 3] - region.target
    azimuth = torch.atan2(offsets @ north, offsets @ east).sort().values
    following = torch.cat([azimuth[1:], azimuth[:1] + 2 * math.pi])
    gap, last = (following - azimuth).max(0)
    angle = 2 * math.pi * done
    if gap < math.pi / 2:
        return angle
    return following[last] + (2 * math.pi - gap) / 2 * (1 - angle.cos())


def nearest_point_to_axes(poses: Tensor) -> Tensor:
    """Return the point (3,) with the least sum of squared distances to the optical axes of ``poses``.

    >>> eyes = torch.tensor([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    >>> poses = look_at(eyes, target=torch.zeros(3), up=torch.tensor([0.0, 0.0, 1.0]))
    >>> bool(nearest_point_to_axes(poses).norm() < 1e-6)
    True
    """
    exact = poses.cpu().double()  # not every device has double precision
    direction = F.normalize(exact[:, :, 2], dim=-1)
    projector = torch.eye(3, dtype=torch.double) - direction[:, :, None] * direction[:, None, :]
    centres = exact[:, :, 3]
    matrix, vector = projector.sum(0), (projector @ centres[..., None]).sum(0)
    point: Tensor = torch.linalg.lstsq(matrix, vector).solution[:, 0]
    return point.to(poses)


def _plane(up: Tensor) -> tuple[Tensor, Tensor]:
    """Return two unit vectors that span the plane orthogonal to ``up``."""
    axis = torch.eye(3)[int(up.abs().argmin())]
    east = F.normalize(torch.linalg.cross(axis, up), dim=0)
    return east, torch.linalg.cross(up, east)


def _range(values: Tensor) -> tuple[float, float]:
    return float(values.min()), float(values.max())
