"""Ray marching through the atlas: what ``lattice`` and ``compositing`` compute, and the way back to the rows."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from nfcore.kernels import Bytes, Floats, Ints, Number, add_scaled, dot, interpolate_row, kernel, scatter

#: The most samples of a ray; numbers of a voxel.
MOST_SAMPLES, ROW = 2048, 8
_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_PARALLEL = np.float32(1e-9)
_LEAST_ALPHA, _LEAST_LIGHT = np.float32(0.5 / 255), np.float32(1 / 255)
_DENSEST = np.float32(0.999)
# No infinity: arithmetic that may be reordered has none.
_BEFORE_ALL = np.float32(-1e30)


class AtlasRecord(NamedTuple):
    """An atlas for kernels.

    Attributes:
        table: (rows * 8,) opacity and premultiplied values; row 0 is empty.
        slots: (blocks,) the number of each stored block, -1 for an empty one; x slowest.
        rows: (slots * p^3,) rows of each block's voxels with its border, x slowest.
        shape: voxels along x, y and z.
        blocks: blocks along x, y and z.
        block: voxels along the side of a block without its border.
        lanes: eight zeros.

    """

    table: Floats
    slots: Ints
    rows: Ints
    shape: tuple[int, int, int]
    blocks: tuple[int, int, int]
    block: int
    lanes: tuple[int, ...]


class Ray(NamedTuple):
    """The samples of one ray: memory that a thread uses again for the next.

    Attributes:
        values: (n * 8,) opacity and premultiplied values.
        places: (n * 3,) place in the cell.
        corners: (n * 8,) rows of the cell's corners.
        light: (n,) light that reaches the sample.
        distances: (n,) in voxels.
        sums: (8,) opacity and values.

    """

    values: Floats
    places: Floats
    corners: Ints
    light: Floats
    distances: Floats
    sums: Floats


@kernel
def new_ray() -> Ray:
    """Return memory for a ray."""
    return Ray(
        np.empty(MOST_SAMPLES * ROW, np.float32),
        np.empty(MOST_SAMPLES * 3, np.float32),
        np.empty(MOST_SAMPLES * 8, np.int32),
        np.empty(MOST_SAMPLES, np.float32),
        np.empty(MOST_SAMPLES, np.float32),
        np.empty(ROW, np.float32),
    )


@kernel
def crossing(low: Number, high: Number, origin: Number, inverse: Number) -> tuple[Number, Number]:
    """Return where a line enters and leaves a slab."""
    first, second = (low - origin) * inverse, (high - origin) * inverse
    return min(first, second), max(first, second)


@kernel
def march(atlas: AtlasRecord, origin: Floats, direction: Floats, near: Number, jitter: Number, ray: Ray) -> int:
    """March along one ray as ``lattice`` and ``compositing`` do; return how many samples it has.

    Args:
        atlas: is marched through.
        origin: (3,) in voxels.
        direction: (3,) a unit vector.
        near: where the ray begins.
        jitter: how far behind an entry or an exit samples begin.
        ray: written.

    """
    size, side = atlas.block + 2, np.float32(atlas.block)
    nx, ny, nz = atlas.shape
    ox, oy, oz = origin[0], origin[1], origin[2]
    dx, dy, dz = direction[0], direction[1], direction[2]
    ix = _ONE / (dx if abs(dx) > _PARALLEL else _PARALLEL)
    iy = _ONE / (dy if abs(dy) > _PARALLEL else _PARALLEL)
    iz = _ONE / (dz if abs(dz) > _PARALLEL else _PARALLEL)
    x0, x1 = crossing(_ZERO, np.float32(nx), ox, ix)
    y0, y1 = crossing(_ZERO, np.float32(ny), oy, iy)
    z0, z1 = crossing(_ZERO, np.float32(nz), oz, iz)
    entry, leave = max(x0, max(y0, z0)), min(x1, min(y1, z1))
    for i in range(ROW):
        ray.sums[i] = _ZERO
    count = 0
    if entry > leave:
        return count
    t = max(near, entry) + jitter
    light, exit_ = _ONE, _BEFORE_ALL
    bx, by, bz = _ZERO, _ZERO, _ZERO
    slot: Number = np.int64(-1)
    steps = math.ceil(math.sqrt(nx * nx + ny * ny + nz * nz))
    for _ in range(steps):
        if not (t < leave and light > _LEAST_LIGHT and count < MOST_SAMPLES):
            break
        x, y, z = ox + dx * t, oy + dy * t, oz + dz * t
        if t > exit_:
            kx: Number = np.int64(math.floor(x / side))
            ky: Number = np.int64(math.floor(y / side))
            kz: Number = np.int64(math.floor(z / side))
            bx, by, bz = np.float32(kx) * side, np.float32(ky) * side, np.float32(kz) * side
            _, x1 = crossing(bx, bx + side, ox, ix)
            _, y1 = crossing(by, by + side, oy, iy)
            _, z1 = crossing(bz, bz + side, oz, iz)
            exit_ = min(x1, min(y1, z1))
            kx = min(max(kx, 0), atlas.blocks[0] - 1)
            ky = min(max(ky, 0), atlas.blocks[1] - 1)
            kz = min(max(kz, 0), atlas.blocks[2] - 1)
            slot = np.int64(atlas.slots[(kx * atlas.blocks[1] + ky) * atlas.blocks[2] + kz])
        if slot < 0:
            t = jitter + exit_
            continue
        px = min(max(x - bx, _ZERO), side) + _HALF
        py = min(max(y - by, _ZERO), side) + _HALF
        pz = min(max(z - bz, _ZERO), side) + _HALF
        cx: Number = np.int64(px)
        cy: Number = np.int64(py)
        cz: Number = np.int64(pz)
        cell = ((slot * size + cx) * size + cy) * size + cz
        if find_corners(atlas.rows, cell, size, ray.corners, count * 8):
            px, py, pz = px - np.float32(cx), py - np.float32(cy), pz - np.float32(cz)
            alpha = interpolate_row(
                atlas.lanes, atlas.table, ray.corners, np.int64(count), px, py, pz, ray.values, count * ROW
            )
            if alpha > _LEAST_ALPHA:
                ray.values[count * ROW] = alpha
                ray.places[count * 3] = px
                ray.places[count * 3 + 1] = py
                ray.places[count * 3 + 2] = pz
                ray.light[count] = light
                ray.distances[count] = t
                add_scaled(atlas.lanes, ray.sums, 0, light, ray.values, count * ROW)
                light *= _ONE - alpha
                count += 1
        t += _ONE
    return count


@kernel
def find_corners(rows: Ints, cell: Number, size: Number, corners: Ints, at: Number) -> bool:
    """Write the eight rows around a sample to corners[at:at+8]; return whether any is not empty."""
    found = np.int32(0)
    for i in range(4):
        place = cell + ((i >> 1) * size + (i & 1)) * size
        corners[at + 2 * i] = rows[place]
        corners[at + 2 * i + 1] = rows[place + 1]
        found |= rows[place] | rows[place + 1]
    return bool(found != 0)


@kernel
def backward(
    atlas: AtlasRecord,
    ray: Ray,
    count: int,
    slope_of_sums: Floats,
    opacity_weight: Number,
    density_scale: Number,
    gradient: Floats,
    touched: Bytes,
) -> None:
    """Add what the samples of one ray contribute to the gradient of rows of opacity and premultiplied values.

    With light T, opacity a and values p of samples, a gradient g of the sums is T g of p; a sample's opacity also
    dims what is behind it, by the light-relative sum b_i = p_{i+1}.g + (1 - a_{i+1}) b_{i+1}.

    Args:
        atlas: what was marched through.
        ray: as ``march`` wrote it.
        count: its samples.
        slope_of_sums: (8,) gradient of the loss by the ray's sums, the opacity's first.
        opacity_weight: what log(1 + 2 s^2) of a sample's density s costs (SNeRG, section 5.1).
        density_scale: density of an optical depth of 1 in a voxel.
        gradient: (rows * 8,) this thread's, added to.
        touched: (rows,) set to 1 where that was.

    """
    behind = _ZERO
    for i in range(count - 1, -1, -1):
        own = dot(atlas.lanes, ray.values, i * ROW, slope_of_sums, 0)
        opacity, light = ray.values[i * ROW], ray.light[i]
        by_opacity = light * (slope_of_sums[0] - behind)
        behind = own + (_ONE - opacity) * behind
        passed = _ONE - min(opacity, _DENSEST)
        density = -np.float32(math.log(passed)) * density_scale
        by_density = np.float32(4) * density / (_ONE + np.float32(2) * density * density)
        by_opacity += opacity_weight * by_density * density_scale / passed
        scatter(
            atlas.lanes, gradient, ray.corners, np.int64(i),
            ray.places[i * 3], ray.places[i * 3 + 1], ray.places[i * 3 + 2],
            slope_of_sums, 0, light, by_opacity,
        )  # fmt: skip
        for corner in range(i * 8, i * 8 + 8):
            touched[ray.corners[corner]] = 1
