"""Rasterisation of triangles: which one each pixel's ray hits first, where in it, and how deep.

In homogeneous coordinates (Olano and Greer 1997, "Triangle scan conversion using 2D homogeneous coordinates",
section 3): a triangle with corners v0, v1, v2 in camera space is hit by the ray t * d where t * d = sum b_i v_i,
so that b_i / t are the rows of [v0 v1 v2]^-1 times d. No triangle has to be clipped at the near plane.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nfcore.kernels.compile import kernel

#: Depth where nothing is hit: kernels compute with finite numbers only.
NOTHING = 1e30

# A triangle is hit on its edges too, within rounding: neighbours leave no gap between them.
_EDGE = -1e-9


@kernel
def rasterise(
    corners: NDArray[np.float64],
    triangles: NDArray[np.int64],
    left: float,
    top: float,
    dx: float,
    dy: float,
    first_row: int,
    last_row: int,
    face: NDArray[np.int64],
    weights: NDArray[np.float32],
    depth: NDArray[np.float64],
) -> None:
    """Write what the rays through rows ``first_row`` to ``last_row`` - 1 of an image hit first.

    The ray of pixel (column, row) has the direction (left + column * dx, top + row * dy, 1).

    Args:
        corners: (v, 3) float64 in a space whose z grows with the depth.
        triangles: (t, 3) int64, indices of corners; both sides of a triangle are visible.
        left, top: direction of the first pixel; ``dx`` and ``dy``: the difference to the next.
        first_row, last_row: rows of the image that are written: bands of an image can be drawn by threads.
        face: (h, w) int64, read and written: the triangle, where -1 is none.
        weights: (h, w, 2) float32, written: the share of the triangle's second and third corner.
        depth: (h, w) float64, read and written: z of what is hit, ``NOTHING`` at first.

    """
    columns = face.shape[1]
    for index in range(len(triangles)):
        a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
        ax, ay, az = corners[a, 0], corners[a, 1], corners[a, 2]
        bx, by, bz = corners[b, 0], corners[b, 1], corners[b, 2]
        cx, cy, cz = corners[c, 0], corners[c, 1], corners[c, 2]
        if az <= 0 and bz <= 0 and cz <= 0:
            continue
        # Rows of the adjugate of [a b c]: the cross products of two corners.
        ux, uy, uz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        vx, vy, vz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
        wx, wy, wz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        volume = ax * ux + ay * uy + az * uz
        if volume == 0:
            continue
        low_column, high_column, low_row, high_row = 0, columns - 1, first_row, last_row - 1
        if az > 0 and bz > 0 and cz > 0:
            column_a, column_b, column_c = (ax / az - left) / dx, (bx / bz - left) / dx, (cx / cz - left) / dx
            row_a, row_b, row_c = (ay / az - top) / dy, (by / bz - top) / dy, (cy / cz - top) / dy
            low_column = max(low_column, int(np.ceil(max(-1.0, min(column_a, column_b, column_c)) - 1e-6)))
            high_column = int(np.floor(min(float(high_column), max(column_a, column_b, column_c) + 1e-6)))
            low_row = max(low_row, int(np.ceil(max(-1.0, min(row_a, row_b, row_c)) - 1e-6)))
            high_row = int(np.floor(min(float(high_row), max(row_a, row_b, row_c) + 1e-6)))
        scale = 1 / volume
        for row in range(low_row, high_row + 1):
            y = top + row * dy
            for column in range(low_column, high_column + 1):
                x = left + column * dx
                first = (ux * x + uy * y + uz) * scale
                second = (vx * x + vy * y + vz) * scale
                third = (wx * x + wy * y + wz) * scale
                inverse = first + second + third
                if inverse <= 0 or min(first, second, third) < _EDGE * inverse:
                    continue
                t = 1 / inverse
                if t < depth[row, column]:
                    depth[row, column] = t
                    face[row, column] = index
                    weights[row, column, 0] = second * t
                    weights[row, column, 1] = third * t


def warm_up() -> None:
    """Compile the kernel."""
    corners = np.array([[-1.0, -1.0, 1.0], [3.0, -1.0, 1.0], [-1.0, 3.0, 1.0]])
    face, weights = np.full((2, 2), -1, np.int64), np.zeros((2, 2, 2), np.float32)
    depth = np.full((2, 2), NOTHING)
    rasterise(corners, np.array([[0, 1, 2]]), -0.5, -0.5, 1.0, 1.0, 0, 2, face, weights, depth)
