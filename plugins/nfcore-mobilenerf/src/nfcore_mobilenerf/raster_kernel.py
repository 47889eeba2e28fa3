"""The rasteriser's kernel: the nearest texels at every sample of an image, compiled by numba.

A pixel's ray meets a triangle where it is a sum of its corners with shares of one sign (Olano and Greer 1997,
"Triangle scan conversion using 2D homogeneous coordinates"), so triangles that reach behind the camera need no
clipping.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nfcore.kernels import Bytes, Floats, Ints, Number, kernel

Doubles = NDArray[np.float64]

#: Depths less than this, in scene units, are behind the camera.
NEAR = 1e-3


@kernel
def rasterize(
    vertices: Floats,
    triangles: Ints,
    coordinates: Doubles,
    stride: int,
    opaque: Bytes,
    camera: Floats,
    depth: Floats,
    texel: Ints,
) -> None:
    """Find the nearest texels at each pixel's centre.

    Args:
        vertices: (v, 3) in the camera's axes.
        triangles: (m, 3) rows of ``vertices``.
        coordinates: (m, 3, 2) of their corners in a texture: columns and rows of texels.
        stride: columns of the texture.
        opaque: (rows * columns,) which texels are there; none: all are.
        camera: fx, fy, cx, cy.
        depth: (height, width, k) of the nearest k texels, nearest first; infinite before the call.
        texel: (height, width, k) their numbers, row by row in the texture; -1 before the call.

    """
    for triangle in range(len(triangles)):
        i, j, k = triangles[triangle]
        _triangle(vertices, i, j, k, coordinates[triangle], stride, opaque, camera, depth, texel)


@kernel
def _has(texels: Ints, number: int) -> bool:
    for layer in range(len(texels)):  # noqa: SIM110 - kernels have no generators
        if texels[layer] == number:
            return True
    return False


@kernel
def _triangle(
    vertices: Floats,
    i: Number,
    j: Number,
    k: Number,
    coordinates: Doubles,
    stride: int,
    opaque: Bytes,
    camera: Floats,
    depth: Floats,
    texel: Ints,
) -> None:
    height, width, layers = depth.shape
    ax, ay, az = np.float64(vertices[i, 0]), np.float64(vertices[i, 1]), np.float64(vertices[i, 2])
    bx, by, bz = np.float64(vertices[j, 0]), np.float64(vertices[j, 1]), np.float64(vertices[j, 2])
    cx, cy, cz = np.float64(vertices[k, 0]), np.float64(vertices[k, 1]), np.float64(vertices[k, 2])
    if az > -NEAR and bz > -NEAR and cz > -NEAR:
        return
    fx, fy = np.float64(camera[0]), np.float64(camera[1])
    px, py = np.float64(camera[2]), np.float64(camera[3])
    left, right, top, bottom = 0, width - 1, 0, height - 1
    if az < -NEAR and bz < -NEAR and cz < -NEAR:
        x0, x1, x2 = px - fx * ax / az, px - fx * bx / bz, px - fx * cx / cz
        y0, y1, y2 = py + fy * ay / az, py + fy * by / bz, py + fy * cy / cz
        left = max(0, math.ceil(max(min(x0, x1, x2), -1.0) - 0.5))
        right = min(width - 1, math.floor(min(max(x0, x1, x2), width + 1.0) - 0.5))
        top = max(0, math.ceil(max(min(y0, y1, y2), -1.0) - 0.5))
        bottom = min(height - 1, math.floor(min(max(y0, y1, y2), height + 1.0) - 0.5))
        if left > right or top > bottom:
            return
    # Shares of the corners are proportional to the ray's products with these normals.
    ux, uy, uz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    vx, vy, vz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
    wx, wy, wz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    volume = ax * ux + ay * uy + az * uz
    if volume == 0.0:
        return
    sign = 1.0 if volume > 0 else -1.0
    for y in range(top, bottom + 1):
        dy = -(y + 0.5 - py) / fy
        for x in range(left, right + 1):
            dx = (x + 0.5 - px) / fx
            first = sign * (dx * ux + dy * uy - uz)
            next_ = sign * (dx * vx + dy * vy - vz)
            last = sign * (dx * wx + dy * wy - wz)
            if first < 0.0 or next_ < 0.0 or last < 0.0:
                continue
            whole = first + next_ + last
            if whole <= 0.0:
                continue
            t = sign * volume / whole
            if t < NEAR or t >= depth[y, x, layers - 1]:
                continue
            first, next_, last = first / whole, next_ / whole, last / whole
            column = first * coordinates[0, 0] + next_ * coordinates[1, 0] + last * coordinates[2, 0]
            row = first * coordinates[0, 1] + next_ * coordinates[1, 1] + last * coordinates[2, 1]
            number = int(row) * stride + int(column)
            if len(opaque) > 0 and opaque[number] == 0:
                continue
            # A sample on the side that triangles share is in both of them.
            if _has(texel[y, x], number):
                continue
            place = layers - 1
            while place > 0 and depth[y, x, place - 1] > t:
                depth[y, x, place] = depth[y, x, place - 1]
                texel[y, x, place] = texel[y, x, place - 1]
                place -= 1
            depth[y, x, place] = t
            texel[y, x, place] = number


def warm_up() -> None:
    """Compile, on one triangle."""
    vertices = np.array([[0, 0, -1], [1, 0, -1], [1, 1, -1]], np.float32)
    depth, texel = np.full((2, 2, 1), np.inf, np.float32), np.full((2, 2, 1), -1, np.int32)
    camera, triangles = np.array([2, 2, 1, 1], np.float32), np.array([[0, 1, 2]], np.int32)
    coordinates = np.array([[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]])
    rasterize(vertices, triangles, coordinates, 1, np.zeros(0, np.uint8), camera, depth, texel)
