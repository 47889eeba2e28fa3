"""What rays collect from isotropic Gaussians: integrals in closed form, then composited front to back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore import Rays, Scene


@dataclass(frozen=True)
class Crossings:
    """How n rays pass m Gaussians, sorted along each ray.

    Args:
        weights: (n, m) how much each Gaussian adds to its ray, in [0, 1]; a ray's weights sum to its opacity.
        depth: (n, m) where the ray comes nearest to its centre, in the ray's ``t``.
        order: (n, m) int64, which Gaussian it is.

    """

    weights: Tensor
    depth: Tensor
    order: Tensor


def cross(rays: Rays, centres: Tensor, radii: Tensor, densities: Tensor, scene: Scene) -> Crossings:
    """Return how ``rays`` pass through Gaussians between the scene's near and far.

    Along a ray a Gaussian's density is a one-dimensional Gaussian, and its integral a difference of two error
    functions. A ray's opacity, 1 - exp(-sum of the integrals), is exact. How it is shared out is not where
    Gaussians overlap: each counts as a whole before the next, in the order of their depths (as in Kerbl et al.
    2023, "3D Gaussian splatting", but with an order for each ray).

    Args:
        rays: n rays (n, 3).
        centres: (m, 3) scene units.
        radii: (m,) standard deviations, scene units.
        densities: (m,) at the centres, per scene unit.
        scene: gives near, far and box.

    Returns:
        Gradients flow from the weights to centres, radii and densities, and from the depths to centres.

    """
    length = rays.directions.norm(dim=1, keepdim=True)
    unit = rays.directions / length
    # Distances are measured from the point of each ray nearest to the box's centre: from a distant camera, the
    # difference of two large squares would eat the digits.
    middle = centres.new_tensor(scene.box).mean(0)
    foot = ((middle - rays.origins) * unit).sum(1, keepdim=True)
    start = rays.origins + foot * unit - middle
    offsets = centres - middle
    along = offsets @ unit.T
    squared = (
        (start.square().sum(1) - 2 * offsets @ start.T + offsets.square().sum(1, keepdim=True)) - along.square()
    ).clamp(min=0)
    along, squared = along.T, squared.T

    scale = math.sqrt(2) * radii
    near, far = ((bound * length - foot - along) / scale for bound in (scene.near, scene.far))
    peak = densities * radii * math.sqrt(math.pi / 2)
    integral = peak * torch.exp(-squared / scale.square()) * (torch.erf(far) - torch.erf(near))

    depth, order = ((foot + along) / length).sort(dim=1, stable=True)
    integral = integral.gather(1, order)
    before = integral.cumsum(1) - integral
    weights = torch.exp(-before) * -torch.expm1(-integral)
    return Crossings(weights, depth.clamp(scene.near, scene.far), order)
