"""Coverage: which cameras are, or look, outside of the region that a student was trained on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.geometry.forward_region import ForwardRegion
from nfcore.geometry.orbits import OrbitRegion
from nfcore.scene.cameras import Cameras

#: How far outside of the reference cameras' region still counts as inside, as a share of their distance.
_SLACK = 0.05
#: With a smaller cosine between view axes, a camera looks elsewhere than the reference cameras: 30 degrees.
_ASIDE = 0.866


def beyond(known: Cameras, cameras: Cameras, *, forward_facing: bool) -> Tensor:
    """Return which of ``cameras`` a student with reference cameras ``known`` does not cover, (n,) bool.

    In a forward-facing scene, a covered camera is in the box of the ``known`` ones and looks along one of their
    axes, within 30 degrees. Elsewhere, its distance from what they look at and its height are within theirs, and
    its axis points there within 30 degrees.
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
    outside = _outside(radius, region.radius, _SLACK * region.radius[1]) | _outside(height, region.height, _SLACK)
    return torch.logical_or(outside, towards < _ASIDE)


def _outside(values: Tensor, bounds: tuple[float, float], slack: float) -> Tensor:
    return torch.logical_or(values < bounds[0] - slack, values > bounds[1] + slack)
