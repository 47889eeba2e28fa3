"""Novel cameras near the training cameras, where the teacher has seen the scene."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore import Cameras, OrbitRegion
from nfcore.geometry import ForwardRegion, NearbyRegion

#: A position is near the cameras if it is no farther from one than so many of them are from their third neighbour.
_NEIGHBOUR, _MOST = 3, 0.9
#: Positions that are drawn for each one that is needed, and how often.
_DRAWN, _ROUNDS = 4, 50


def novel_cameras(train: Cameras, forward_facing: bool, n: int, generator: torch.Generator) -> Cameras:
    """Return ``n`` novel cameras among the ``train`` cameras of a capture."""
    if not forward_facing:
        return NearbyRegion.around(train).sample(n, generator)
    return _with_intrinsics(train, ForwardRegion.around(train).sample(n, generator), generator)


def shell_cameras(train: Cameras, n: int, generator: torch.Generator) -> Cameras:
    """Return ``n`` novel cameras in the shell of ``train`` cameras around an object, only where those are."""
    region, eyes = OrbitRegion.around(train), train.poses[:, :, 3]
    reach = _reach(eyes)
    kept = [torch.empty(0, 3, 4)]
    for _ in range(_ROUNDS):
        poses = region.sample(_DRAWN * n, generator)
        kept.append(poses[torch.cdist(poses[:, :, 3], eyes).amin(1) <= reach])
        if sum(map(len, kept)) >= n:
            return _with_intrinsics(train, torch.cat(kept)[:n], generator)
    return NearbyRegion.around(train).sample(n, generator)


def _reach(eyes: Tensor) -> float:
    """Return how far from a camera a novel one may be, scene units."""
    apart = torch.cdist(eyes, eyes).sort(1).values
    return float(apart[:, min(_NEIGHBOUR, len(eyes) - 1)].quantile(_MOST))


def _with_intrinsics(train: Cameras, poses: Tensor, generator: torch.Generator) -> Cameras:
    focus = train.intrinsics[torch.randint(len(train), (len(poses),), generator=generator)]
    return Cameras(poses, focus, train.height, train.width)
