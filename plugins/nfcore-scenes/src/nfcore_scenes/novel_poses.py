"""Novel cameras for captures, near the training cameras, where the teacher has seen the scene."""

from __future__ import annotations

import torch

from nfcore import Cameras
from nfcore.geometry import ForwardRegion, NearbyRegion


def novel_cameras(train: Cameras, forward_facing: bool, n: int, generator: torch.Generator) -> Cameras:
    """Return ``n`` novel cameras among the ``train`` cameras."""
    if not forward_facing:
        return NearbyRegion.around(train).sample(n, generator)
    poses = ForwardRegion.around(train).sample(n, generator)
    focus = train.intrinsics[torch.randint(len(train), (n,), generator=generator)]
    return Cameras(poses, focus, train.height, train.width)
