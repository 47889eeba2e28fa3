"""Rays through a bounded space: a sample's place in the cube and its depth; as ``nfcore.geometry.spaces``."""

from __future__ import annotations

import numpy as np

from nfcore.kernels.compile import kernel
from nfcore.kernels.records import CONTRACTED, NDC, Floats, Number, SpaceRecord

# A ray in the cube: its coordinates are ``start + u * move``. In a box and in NDC, u is the fraction of the ray's
# span; in a contracted world it is the depth, and the coordinates are contracted afterwards. FIRST, LAST and BEND
# are what depths are computed from.
START, MOVE, FIRST, LAST, BEND = 0, 3, 6, 7, 8
#: Numbers that ``enter_space`` writes.
RAY_SIZE = 9

_ZERO, _ONE, _TWO, _HALF = np.float32(0), np.float32(1), np.float32(2), np.float32(0.5)
_LEAST_COMPONENT, _LEAST_SLOPE = np.float32(1e-6), np.float32(0.01)
_FARTHEST, _CLOSE, _TINY = np.float32(1e-4), np.float32(1.001), np.float32(1e-9)


@kernel
def enter_space(space: SpaceRecord, origin: Floats, direction: Floats, ray: Floats) -> None:
    """Write what ``place_in_space`` and ``depth_in_space`` need to know of a ray.

    Args:
        space: see ``nfcore.Space.record``.
        origin: (3,) scene units.
        direction: (3,) of any length.
        ray: (RAY_SIZE,) written.

    """
    if space.kind == NDC:
        slope = min(direction[2], -_LEAST_SLOPE)
        to_plane = -(space.near + origin[2]) / slope
        for axis in range(2):
            ratio = space.ratios[axis]
            crossing = (origin[axis] + to_plane * direction[axis]) * (ratio / space.near)
            ray[START + axis] = crossing
            ray[MOVE + axis] = -ratio * direction[axis] / slope - crossing
        ray[START + 2], ray[MOVE + 2] = -_ONE, _TWO
        ray[FIRST], ray[LAST] = to_plane, slope
        return
    entry, leave = np.float32(-1e30), np.float32(1e30)
    for axis in range(3):
        component = direction[axis]
        if abs(component) < _LEAST_COMPONENT:
            component = _LEAST_COMPONENT
        to_low = (space.low[axis] - origin[axis]) / component
        to_high = (space.high[axis] - origin[axis]) / component
        entry, leave = max(entry, min(to_low, to_high)), min(leave, max(to_low, to_high))
        ray[START + axis] = (origin[axis] - space.centre[axis]) / space.half[axis]
        ray[MOVE + axis] = direction[axis] / space.half[axis]
    middle = (entry + leave) * _HALF  # a ray that misses is there all along
    entry, leave = max(min(entry, middle), _ZERO), max(max(leave, middle), _ZERO)
    if space.kind == CONTRACTED:
        bend = min(max(leave, space.near * _CLOSE), space.far)
        ray[FIRST], ray[LAST], ray[BEND] = space.near, _TWO * bend - bend * bend / space.far, bend
        return
    ray[FIRST], ray[LAST] = entry, leave
    for axis in range(3):
        ray[START + axis] += entry * ray[MOVE + axis]
        ray[MOVE + axis] *= leave - entry


@kernel
def depth_in_space(space: SpaceRecord, ray: Floats, fraction: Number) -> Number:
    """Return the depth at a ``fraction`` in [0, 1] of the ray's span; see ``nfcore.Space.depths``."""
    if space.kind == NDC:
        behind = space.near / max(_ONE - fraction, _FARTHEST) - space.near
        return ray[FIRST] - behind / ray[LAST]
    grown = ray[FIRST] + (ray[LAST] - ray[FIRST]) * fraction
    if space.kind == CONTRACTED and grown > ray[BEND]:
        return ray[BEND] * ray[BEND] / max(_TWO * ray[BEND] - grown, _TINY)
    return grown


@kernel
def place_in_space(space: SpaceRecord, ray: Floats, fraction: Number) -> tuple[Number, Number, Number]:
    """Return x, y and z at a ``fraction`` in [0, 1] of the ray's span; see ``nfcore.Space.coordinates``."""
    along = depth_in_space(space, ray, fraction) if space.kind == CONTRACTED else fraction
    x = ray[START] + along * ray[MOVE]
    y = ray[START + 1] + along * ray[MOVE + 1]
    z = ray[START + 2] + along * ray[MOVE + 2]
    if space.kind == CONTRACTED:
        inverse = _ONE / max(max(abs(x), abs(y)), max(abs(z), _ONE))
        scale = (_TWO - inverse) * inverse * _HALF
        return x * scale, y * scale, z * scale
    return x, y, z
