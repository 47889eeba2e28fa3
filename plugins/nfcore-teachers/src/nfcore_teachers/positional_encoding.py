"""Positional encodings of points, and of Gaussians around them."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def encode_points(points: Tensor, octaves: int) -> Tensor:
    """Return points (..., 3) and their sines and cosines, (..., 3 * (1 + 2 * octaves)): NeRF, equation 4.

    Frequencies are 2^l pi, so points should lie within [-1, 1]. Differentiable.
    """
    angles = points[..., None] * (math.pi * 2.0 ** torch.arange(octaves, device=points.device))
    return torch.cat([points, angles.sin().flatten(-2), angles.cos().flatten(-2)], -1)


def encode_gaussians(mean: Tensor, variance: Tensor, octaves: int) -> Tensor:
    """Return the expected sines and cosines of Gaussians, (..., 6 * octaves): Mip-NeRF, equations 13 and 14.

    Args:
        mean: (..., 3).
        variance: (..., 3), the diagonal of the covariance.
        octaves: frequencies are 2^l; those whose period the Gaussian covers come out as nothing.

    """
    scales = 2.0 ** torch.arange(octaves, device=mean.device)
    angles, blur = mean[..., None] * scales, torch.exp(-0.5 * variance[..., None] * scales**2)
    return torch.cat([(angles.sin() * blur).flatten(-2), (angles.cos() * blur).flatten(-2)], -1)


def points_size(octaves: int) -> int:
    """Return how many numbers ``encode_points`` makes of a point."""
    return 3 * (1 + 2 * octaves)


def gaussians_size(octaves: int) -> int:
    """Return how many numbers ``encode_gaussians`` makes of a Gaussian."""
    return 6 * octaves
