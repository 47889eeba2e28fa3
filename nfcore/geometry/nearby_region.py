"""Novel poses between neighbouring cameras, for captures whose cameras have no simple arrangement."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.geometry.interpolation import nearest_rotations
from nfcore.geometry.orbits import nearest_point_to_axes
from nfcore.scene.cameras import Cameras

#: Each camera is interpolated with one of this many nearest ones.
_NEIGHBOURS = 4
#: Jitter of positions and view axes, as a share of the distance to the neighbour.
_JITTER = 0.15


@dataclass(frozen=True)
class NearbyRegion:
    """The paths between each camera of a capture and its nearest neighbours.

    A teacher knows only what was photographed: a walk around an object with a phone rarely closes, and its heights
    and distances vary along the way. Poses stay as far from the object as the neighbouring cameras.

    Args:
        cameras: those of the photos.
        target: (3,) the point that the optical axes come nearest to.
        neighbours: (n, k) indices of each camera's nearest neighbours.

    >>> region = NearbyRegion.around(source.views("train").cameras)  # doctest: +SKIP
    >>> cameras = region.sample(100, torch.Generator().manual_seed(0))  # doctest: +SKIP

    """

    cameras: Cameras
    target: Tensor
    neighbours: Tensor

    @classmethod
    def around(cls, cameras: Cameras) -> NearbyRegion:
        """Return the region of ``cameras``, at least two; neighbours are close in position and in view axis."""
        target = nearest_point_to_axes(cameras.poses)
        eyes, axes = cameras.poses[:, :, 3], F.normalize(cameras.poses[:, :, 2], dim=-1)
        reach = (eyes - target).norm(dim=-1).mean()
        apart = torch.cdist(eyes, eyes) + reach * torch.cdist(axes, axes)
        apart.fill_diagonal_(torch.inf)
        count = min(_NEIGHBOURS, len(cameras) - 1)
        return cls(cameras, target, apart.topk(count, largest=False).indices)

    def sample(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` cameras, uniform over cameras, neighbours and positions in between, with jitter."""
        first = torch.randint(len(self.cameras), (n,), generator=generator)
        which = torch.randint(self.neighbours.shape[1], (n,), generator=generator)
        share = torch.rand(n, 1, generator=generator)
        jitter = _JITTER * torch.randn(2, n, 3, generator=generator)
        one, other = self.cameras[first], self.cameras[self.neighbours[first, which]]
        eyes = self._eyes(one.poses[:, :, 3], other.poses[:, :, 3], share, jitter[0])
        rotations = _blended(one.poses[:, :, :3], other.poses[:, :, :3], share[..., None], jitter[1])
        intrinsics = torch.lerp(one.intrinsics, other.intrinsics, share)
        return Cameras(
            torch.cat([rotations, eyes[..., None]], -1), intrinsics, self.cameras.height, self.cameras.width
        )

    def _eyes(self, one: Tensor, other: Tensor, share: Tensor, jitter: Tensor) -> Tensor:
        """Return positions (n, 3) on arcs around the target: a chord would pass closer to the object."""
        offsets = torch.stack([one - self.target, other - self.target])
        radii = offsets.norm(dim=-1, keepdim=True)
        moved = torch.lerp(offsets[0], offsets[1], share) + jitter * (other - one).norm(dim=-1, keepdim=True)
        radius = torch.lerp(radii[0], radii[1], share) * (
            1 + 0.3 * jitter[:, :1] * (radii[0] - radii[1]).abs() / radii.amax(0)
        )
        eyes: Tensor = self.target + F.normalize(moved, dim=-1) * radius
        return eyes


def _blended(one: Tensor, other: Tensor, share: Tensor, jitter: Tensor) -> Tensor:
    """Return rotations (n, 3, 3) interpolated between two each, with a small random rotation."""
    x, y, z = jitter.unbind(-1)
    zero = torch.zeros_like(x)
    turn = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    angle = (other - one).norm(dim=(1, 2), keepdim=True).clamp_max(1)
    mixed = torch.lerp(one, other, share)
    # Neighbours are less than half a turn apart; otherwise the nearest matrix could be a reflection.
    return nearest_rotations(mixed + 0.5 * angle * (mixed @ turn))
