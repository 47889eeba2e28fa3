"""Which cameras stand, or look, where those of a student's photos did not."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.geometry.forward_region import ForwardRegion
from nfcore.geometry.orbits import OrbitRegion
from nfcore.scene.cameras import Cameras

#: How far beyond the reference cameras' region still counts as within, as a share of their distance.
_SLACK = 0.05
#: Cosine between view axes from which a camera looks elsewhere than the reference cameras: 30 degrees.
_ASIDE = 0.866


def beyond(known: Cameras, cameras: Cameras, *, forward_facing: bool) -> Tensor:
    """Return (n,) bool: which of ``cameras`` see what a student with reference cameras ``known`` never learned.

    Before a scene, a camera is to be in the box of the ``known`` ones and to look as one of them does, to 30
    degrees; around a scene, it is to be as far from what they look at and as high as they are, and to have that
    within 30 degrees of its axis.
    """
    eyes, axes = cameras.poses[:, :, 3], -F.normalize(cameras.poses[:, :, 2], dim=-1)
    if forward_facing:
        position = ForwardRegion.around(known).position
        margin = _SLACK * (position[1] - position[0]).norm()
        outside = ((eyes < position[0] - margin) | (eyes > position[1] + margin)).any(1)
        alike = axes @ -F.normalize(known.poses[:, :, 2], dim=-1).T
        return torch.logical_or(outside, alike.amax(1) < _ASIDE)
    region = OrbitRegion.around(known)
    offsets = eyes - region.target
    radius = offsets.norm(dim=1)
    height = (offsets @ region.up) / radius.clamp_min(1e-9)
    towards = -(offsets * axes).sum(1) / radius.clamp_min(1e-9)
    off = _outside(radius, region.radius, _SLACK * region.radius[1]) | _outside(height, region.height, _SLACK)
    return torch.logical_or(off, towards < _ASIDE)


def _outside(values: Tensor, bounds: tuple[float, float], slack: float) -> Tensor:
    return torch.logical_or(values < bounds[0] - slack, values > bounds[1] + slack)
