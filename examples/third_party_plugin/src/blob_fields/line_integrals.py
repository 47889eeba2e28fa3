"""Rendering of isotropic Gaussians: line integrals in closed form, composited front to back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore import Rays, Scene


@dataclass(frozen=True)
class Crossings:
    """The crossings of n rays with m Gaussians, sorted along each ray.

    Args:
        weights: (n, m) weight of each Gaussian in its ray's colour, in [0, 1]; a ray's weights sum to its opacity.
        depth: (n, m) the ray's ``t`` nearest to its centre.
        order: (n, m) int64, the index of the Gaussian.

    """

    weights: Tensor
    depth: Tensor
    order: Tensor


def cross(rays: Rays, centres: Tensor, radii: Tensor, densities: Tensor, scene: Scene) -> Crossings:
    """Return the crossings of ``rays`` with Gaussians between the scene's near and far.

    Along a ray a Gaussian's density is a one-dimensional Gaussian, and its integral a difference of two error
    functions. A ray's opacity, 1 - exp(-sum of the integrals), is exact. Its distribution is not where Gaussians
    overlap: each is composited completely before the next, in the order of their depths (as in Kerbl et al.
    2023, "3D Gaussian splatting", but with an order for each ray).

    Args:
        rays: n rays (n, 3).
        centres: (m, 3) scene units.
        radii: (m,) standard deviations, scene units.
        densities: (m,) at the centres, per scene unit.
        scene: the scene, for near, far and box.

    Returns:
        Gradients flow from the weights to centres, radii and densities, and from the depths to centres.

    """
    length = rays.directions.norm(dim=1, keepdim=True)
    unit = rays.directions / length
    # Distances are measured from the point of each ray nearest to the box's centre: with a distant camera the
    # difference of two large squares would cancel.
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
