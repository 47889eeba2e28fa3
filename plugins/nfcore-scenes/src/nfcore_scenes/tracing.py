"""Rays through a signed distance field: intersections, normals, shadows and ambient occlusion.

A field maps points (3, n) to signed distances (n,). Nothing here is differentiable.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nfcore.dataset import Box
from nfcore_scenes.solids import length

Field = Callable[[Tensor], Tensor]

#: Distance from the surface, scene units, below which a point is on it.
SURFACE = 1e-4
#: Minimum step, for rays that graze a surface; a ray that it moves below the surface is moved back.
_LEAST_STEP = 1e-3
_SHADOW_STEPS = 16


def trace(field: Field, origins: Tensor, directions: Tensor, box: Box) -> Tensor:
    """Return the distance (n,) along each ray to the field's surface, infinity where it misses.

    Sphere tracing (Hart 1996): the field's value is a safe step.

    Args:
        field: exact or underestimated distances.
        origins: (3, n), outside the surface.
        directions: (3, n), of unit length.
        box: lower and upper corner of a box around the surface; rays are traced only inside it.

    """
    entry, leave = _box_interval(origins, directions, box)
    found = torch.full_like(entry, torch.inf)
    active = (entry < leave).nonzero()[:, 0]
    origin, direction, t, leave = origins[:, active], directions[:, active], entry[active], leave[active]
    while len(active):
        step = field(origin + t * direction)
        hit = step < SURFACE
        found[active[hit]] = t[hit] + step[hit]
        t = t + step.clamp_min(_LEAST_STEP)
        going = ~hit & (t < leave)
        active, t, leave = active[going], t[going], leave[going]
        origin, direction = origin[:, going], direction[:, going]
    return found


def _box_interval(origins: Tensor, directions: Tensor, box: Box) -> tuple[Tensor, Tensor]:
    """Return where rays enter and leave ``box``, (n,) each; entry is after exit for a ray that misses."""
    low, high = torch.tensor(box)[:, :, None]
    # A component of zero would give 0/0 for an origin on a face.
    safe = torch.where(directions.abs() < 1e-9, 1e-9, directions)
    first, second = (low - origins) / safe, (high - origins) / safe
    return torch.minimum(first, second).amax(0).clamp_min(0), torch.maximum(first, second).amin(0)


def normals(field: Field, points: Tensor) -> Tensor:
    """Return unit normals (3, n) at surface ``points`` (3, n): the field's gradient by tetrahedral differences."""
    corners = torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
    around = torch.stack([field(points + 1e-3 * corner[:, None]) for corner in corners])
    gradient = corners.T @ around
    return gradient / length(gradient)


def sunlight(field: Field, points: Tensor, towards: Tensor, softness: float, reach: float) -> Tensor:
    """Return the visible fraction (n,) of a light from ``points`` (3, n), in [0, 1], with soft shadows.

    The ray's minimum distance to a surface, relative to its length so far, estimates how much of the light's
    disc is covered (I. Quilez, "Soft shadows in raymarched SDFs").

    Args:
        field: distances.
        points: a little above the surface.
        towards: (3,) unit vector to the light.
        softness: radius of the light's disc, radians.
        reach: length of the rays, scene units.

    """
    light = torch.ones(points.shape[1])
    t = torch.full_like(light, 0.02)
    for _ in range(_SHADOW_STEPS):
        clearance = field(points + t * towards[:, None])
        light = torch.minimum(light, clearance / (softness * t))
        t = (t + clearance.clamp(0.02, 0.15)).clamp_max(reach)
    light = light.clamp(0, 1)
    return light * light * (3 - 2 * light)


def openness(field: Field, points: Tensor, normal: Tensor) -> Tensor:
    """Return the ambient occlusion factor of ``points`` (3, n), (n,) in [0.25, 1].

    Along the normal (3, n) of an unoccluded surface the distance grows by the step; a deficit means occlusion
    (Evans 2006, "Fast approximations for global illumination on dynamic scenes"). It never falls to 0, because
    reflected light reaches corners too.
    """
    lacking = torch.zeros(points.shape[1])
    for k in range(1, 5):
        way = 0.08 * k
        lacking += (way - field(points + way * normal)).clamp_min(0) / way * 0.5**k
    return 1 - 0.75 * lacking.clamp(0, 1)
