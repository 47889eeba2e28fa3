"""Conical frustums: the part of a pixel's cone between two distances, as a Gaussian in the domain.

Mip-NeRF (Barron et al. 2021), section 3.1, equations 7, 8 and 16. Where the domain is warped, lengths along and
across the ray are warped at the Gaussian's mean: a simple form of Mip-NeRF 360's equation 9.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nfcore import Cameras
from nfcore.geometry import Domain, Paths

#: A disc of this radius has the variance of a pixel of width 1 (section 3.1).
PIXEL_RADIUS = 2 / math.sqrt(12)


def cone_radius(cameras: Cameras) -> float:
    """Return the mean radius of the cameras' pixel cones at depth 1, scene units."""
    corners = torch.arange(len(cameras), device=cameras.poses.device) * (cameras.height * cameras.width)
    footprint = cameras.pixel_rays(corners).footprint
    assert footprint is not None
    return PIXEL_RADIUS * float(footprint.mean())


def gaussians(domain: Domain, paths: Paths, edges: Tensor, radius: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return Gaussians in the frustums between ``edges`` (n, s + 1): distance (n, s), mean and variance (n, s, 3).

    Args:
        domain: where they are.
        paths: n paths; their depths must be the rays' ``t``.
        edges: (n, s + 1) distances in rising order.
        radius: () or (n, 1), the radius of each path's cone at depth 1, scene units.

    """
    every = torch.arange(len(edges), device=edges.device)
    depth = paths.depth(edges, every)
    middle, half = (depth[:, 1:] + depth[:, :-1]) / 2, depth.diff(dim=1) / 2
    middle, square = middle.clamp_min(1e-6), half**2
    around = 3 * middle**2 + square
    mean_depth = middle + 2 * middle * square / around
    along = square / 3 - 4 / 15 * square**2 * (12 * middle**2 - square) / around**2
    across = radius**2 * (middle**2 / 4 + 5 / 12 * square - 4 / 15 * square**2 / around)

    share = ((mean_depth - depth[:, :-1]) / (2 * half).clamp_min(1e-10)).clamp(0, 1)
    distance = edges[:, :-1] + share * edges.diff(dim=1)
    mean = torch.stack(list(paths.along(distance)), -1)
    ends = torch.stack(list(paths.along(edges)), -1)
    move = ends.diff(dim=1)
    # Where depth is not even in distance, the mean is not at the mean depth, but the width is taken from there.
    across = across * (paths.depth(distance, every) / mean_depth) ** 2 * domain.across(mean) ** 2
    sideways = 1 - move**2 / (move**2).sum(-1, keepdim=True).clamp_min(1e-20)
    share_along = (along / (4 * square).clamp_min(1e-20)).clamp(0, 1 / 3)
    return distance, mean, share_along[..., None] * move**2 + across[..., None] * sideways
