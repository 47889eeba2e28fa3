"""Gaussians in SuperSplat's compressed PLY: 16 bytes each, relative to the bounds of their chunk of 256.

Bits are those of PlayCanvas' reader (engine, ``gsplat-compressed-data``): each chunk has the least and the
greatest position, logarithmic scale and colour; newer files have harmonics as bytes, an element of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nfcore import UserError
from nfcore_splats.gaussians import BASIS_SIZES, CONSTANT, Gaussians
from nfcore_splats.splat import logit

#: The elements, and the properties of each Gaussian.
CHUNK, VERTEX, HARMONICS = "chunk", "vertex", "sh"
PACKED = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
_IN_A_CHUNK = 256
#: Components of vectors and of quaternions: the lowest bit and the number of bits of each.
_VECTOR, _COLOUR, _TURN = (
    ((21, 11), (11, 10), (0, 11)),
    ((24, 8), (16, 8), (8, 8), (0, 8)),
    ((20, 10), (10, 10), (0, 10)),
)
_BOUNDED = ("x", "y", "z"), ("scale_x", "scale_y", "scale_z"), ("r", "g", "b")


def unpacked(chunks: NDArray[Any], vertices: NDArray[Any], rest: NDArray[Any] | None, where: str) -> Gaussians:
    """Return the Gaussians of a file's tables: bounds, packed Gaussians, and harmonics above degree 0 or None.

    Raises:
        UserError: a property is missing, or there are fewer chunks or harmonics than Gaussians need.

    """
    count = len(vertices)
    names = set(chunks.dtype.names or ())
    positions, scales, colours = ((f"min_{axis}", f"max_{axis}") for axis in ("x", "scale_x", "r"))
    lacking = [name for name in (*positions, *scales) if name not in names]
    lacking += [name for name in PACKED if name not in (vertices.dtype.names or ())]
    if lacking or len(chunks) * _IN_A_CHUNK < count or (rest is not None and len(rest) < count):
        raise UserError(
            f"{where}: damaged: a compressed PLY without {lacking[0] if lacking else 'all of its chunks'}"
        )
    chunk = np.arange(count) // _IN_A_CHUNK

    def bounded(shares: NDArray[np.float64], axes: tuple[str, ...]) -> NDArray[np.float64]:
        low, high = (
            np.stack([chunks[f"{end}_{axis}"].astype(np.float64) for axis in axes], 1)[chunk]
            for end in ("min", "max")
        )
        return low + (high - low) * shares

    colour = _shares(vertices["packed_color"], _COLOUR)
    rgb = bounded(colour[:, :3], _BOUNDED[2]) if set(colours) <= names else colour[:, :3]
    harmonics = [torch.from_numpy((rgb - 0.5) / CONSTANT).float()[:, None]]
    if rest is not None:
        harmonics.append(_harmonics(rest[:count], where))
    return Gaussians(
        torch.from_numpy(bounded(_shares(vertices["packed_position"], _VECTOR), _BOUNDED[0])).float(),
        torch.from_numpy(bounded(_shares(vertices["packed_scale"], _VECTOR), _BOUNDED[1])).float(),
        _quaternions(vertices["packed_rotation"].astype(np.int64)),
        logit(torch.from_numpy(colour[:, 3]).float()),
        torch.cat(harmonics, 1).contiguous(),
    )


def _shares(packed: NDArray[Any], layout: tuple[tuple[int, int], ...]) -> NDArray[np.float64]:
    """Return numbers in [0, 1] from the bits of integers, (n, components)."""
    bits = packed.astype(np.int64)
    return np.stack([(bits >> shift & (1 << size) - 1) / ((1 << size) - 1) for shift, size in layout], 1)


def _quaternions(packed: NDArray[np.int64]) -> Tensor:
    """Return quaternions w, x, y, z of which all but the largest are stored; two bits say which that is."""
    stored = (_shares(packed, _TURN) - 0.5) * 2**0.5
    largest = packed >> 30
    rest = np.sqrt(np.maximum(0, 1 - (stored**2).sum(1)))
    values = np.stack([np.insert(stored, left, rest, 1) for left in range(4)])
    return torch.from_numpy(values[largest, np.arange(len(packed))]).float()


def _harmonics(rest: NDArray[Any], where: str) -> Tensor:
    """Return the harmonics (n, k, 3) above degree 0, stored as bytes: all of red, then green, then blue."""
    names = rest.dtype.names or ()
    if len(names) not in [3 * (size - 1) for size in BASIS_SIZES[1:]]:
        raise UserError(f"{where}: damaged: {len(names)} harmonics are of no degree from 1 to 3")
    values = np.stack([rest[f"f_rest_{index}"].astype(np.float32) for index in range(len(names))], 1)
    return torch.from_numpy(values * (8 / 255) - 4).reshape(len(rest), 3, -1).transpose(1, 2)
