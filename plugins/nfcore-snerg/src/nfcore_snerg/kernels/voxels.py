"""Rows of voxels: what is stored from what is fitted, the gradient's way back, and which are seen."""

from __future__ import annotations

import numpy as np

from nfcore.kernels import Bytes, Floats, Ints, Number, absorbed, kernel, move_rows
from nfcore_snerg.kernels.marching import ROW, AtlasRecord, march, new_ray

#: Rays that a thread takes in turn.
BUNDLE = 64
_ONE, _HALF = np.float32(1), np.float32(0.5)


@kernel
def premultiply(absorption: Floats, fitted: Floats, first: int, last: int, table: Floats) -> None:
    """Write opacity and premultiplied values of the rows from ``first`` to ``last``.

    Args:
        absorption: see ``nfcore.kernels.absorption_table``.
        fitted: (rows * 8,) raw density and values.
        first: the first row.
        last: the row after the last.
        table: (rows * 8,) written.

    """
    for i in range(first * ROW, last * ROW, ROW):
        opacity, _ = absorbed(absorption, fitted[i], _ONE)
        table[i] = opacity
        for c in range(1, ROW):
            table[i + c] = opacity * fitted[i + c]


@kernel
def to_fitted(absorption: Floats, fitted: Floats, first: int, last: int, touched: Bytes, gradient: Floats) -> None:
    """Turn the gradient of opacities and premultiplied values into one of raw densities and values.

    Args:
        absorption: as for ``premultiply``.
        fitted: likewise.
        first: the first row.
        last: the row after the last.
        touched: (rows,) only rows with a 1 have a gradient.
        gradient: (rows * 8,) changed.

    """
    for row in range(first, last):
        if touched[row]:
            i = row * ROW
            opacity, slope = absorbed(absorption, fitted[i], _ONE)
            for c in range(1, ROW):
                gradient[i] += gradient[i + c] * fitted[i + c]
                gradient[i + c] *= opacity
            gradient[i] *= (_ONE - opacity) * slope


@kernel
def step_rows(
    lanes: tuple[int, ...], first: int, last: int, absorption: Floats, fitted: Floats, table: Floats,
    gradients: Floats, touched: Bytes, mean: Floats, square: Floats, rates: Floats, lowest: Floats,
    highest: Floats, keep: Number, keep_square: Number, correction: Number, found: Ints,
) -> None:  # fmt: skip
    """Take one step of Adam with the touched rows of ``first`` to ``last``, and premultiply them again.

    ``gradients`` are those of opacities and premultiplied values; the other arguments are those of
    ``premultiply`` and of ``nfcore.kernels.move_rows``.
    """
    for part in range(len(gradients)):
        to_fitted(absorption, fitted, first, last, touched[part], gradients[part])
    moved = move_rows(
        lanes, first, last, fitted, gradients, touched, mean, square, rates, lowest, highest,
        keep, keep_square, correction, found,
    )  # fmt: skip
    for at in range(first, first + moved):
        row: Number = np.int64(found[at])
        premultiply(absorption, fitted, row, row + 1, table)


@kernel
def look(
    part: int, parts: int, origins: Floats, directions: Floats, near: Floats, atlas: AtlasRecord,
    seen: Floats, hits: Bytes,
) -> None:  # fmt: skip
    """Note the most light that reaches each voxel (SNeRG, section 4.3), and which rays meet something.

    Args:
        part: which share, from 0.
        parts: how many there are.
        origins: (n, 3) in voxels.
        directions: (n, 3) unit vectors.
        near: (n,) where rays begin, in voxels.
        atlas: is marched through.
        seen: (rows,) this thread's: raised to the light, times the sample's share of the voxel, of all samples.
        hits: (n,) written: 1 where a ray has samples.

    """
    ray, rays = new_ray(), len(origins)
    for start in range(part * BUNDLE, rays, parts * BUNDLE):
        for i in range(start, min(rays, start + BUNDLE)):
            count = march(atlas, origins[i], directions[i], near[i], _HALF, ray)
            hits[i] = count > 0
            for sample in range(count):
                for corner in range(8):
                    share = ray.light[sample]
                    for axis in range(3):
                        place = ray.places[sample * 3 + axis]
                        share *= place if corner >> (2 - axis) & 1 else _ONE - place
                    row = ray.corners[sample * 8 + corner]
                    seen[row] = max(seen[row], share)
