"""Gaussians as ``.spz`` (Niantic, versions 2 and 3): gzip, 20 bytes each and one for each harmonic above degree 0.

The file's axes are x right, y up, z backwards. All values are bytes; their meaning is in the format's README
(github.com/nianticlabs/spz).
"""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nfcore import UserError
from nfcore_splats.gaussians import BASIS_SIZES, Gaussians
from nfcore_splats.sanity import check_count
from nfcore_splats.splat import logit

_HEADER = struct.Struct("<IIIBBBB")
_MAGIC, _ANTIALIASED = 0x5053474E, 1
_COLOUR, _SCALE, _LEAST_SCALE = 0.15, 16.0, -10.0
# Bits of a harmonic's byte that are 0 so that gzip finds more: 5 are left for degree 1, 4 for the others.
_STEP_OF_FIRST, _STEP_OF_REST = 8, 16
_FINEST, _WIDEST = 12, (1 << 23) - 1
_ROOT_HALF = 0.5**0.5


def read_spz(data: bytes, where: str) -> Gaussians:
    """Return the Gaussians in a ``.spz`` file.

    Raises:
        UserError: it is damaged, cut short, or of a version that is not read.

    """
    if data[:4] == struct.pack("<I", _MAGIC):
        raise UserError(
            f"{where}: SPZ version {data[4] if len(data) > 4 else '?'} is not read: save it as version 3"
        )
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        head = stream.decompress(data, _HEADER.size)
        magic, version, count, degree, fraction, flags, _ = _HEADER.unpack(head)
        if magic != _MAGIC:
            raise ValueError
    except (struct.error, zlib.error, ValueError):
        raise UserError(f"{where}: damaged, or no SPZ file") from None
    if version not in (2, 3) or degree > 3 or fraction > 23:
        raise UserError(
            f"{where}: SPZ version {version}, degree {degree} is not read: versions 2 and 3 to degree 3 are"
        )
    check_count(count, degree, where)
    size, rotation = BASIS_SIZES[degree] - 1, 4 if version == 3 else 3
    widths = (9, 1, 3, 3, rotation, 3 * size)
    try:
        body = stream.decompress(stream.unconsumed_tail, count * sum(widths))
    except zlib.error:
        body = b""
    if len(body) < count * sum(widths):
        raise UserError(f"{where}: damaged or cut short: it should have {count:,} Gaussians")
    parts, at = [], 0
    for width in widths:
        parts.append(np.frombuffer(body, np.uint8, count * width, at).reshape(count, width))
        at += count * width
    means, alpha, colours, scales, turns, rest = parts
    constant = (_floats(colours) / 255 - 0.5) / _COLOUR
    return Gaussians(
        _positions(means, fraction),
        _floats(scales) / _SCALE + _LEAST_SCALE,
        _smallest_three(turns) if version == 3 else _first_three(turns),
        logit(_floats(alpha)[:, 0] / 255),
        torch.cat([constant[:, None], ((_floats(rest) - 128) / 128).reshape(count, size, 3)], 1),
        antialiased=bool(flags & _ANTIALIASED),
    )


def write_spz(gaussians: Gaussians) -> bytes:
    """Return the file, version 3. Positions have 12 bits after the point, or fewer where they are far away."""
    farthest = float(gaussians.means.abs().max())
    fraction = max(0, min(_FINEST + 8, int(np.floor(np.log2(_WIDEST / max(farthest, 1e-9))))))
    fixed = (gaussians.means.double() * 2**fraction).round().clamp(-_WIDEST, _WIDEST).int().numpy()
    rest = gaussians.harmonics[:, 1:]
    step = torch.full((rest.shape[1], 1), float(_STEP_OF_REST))
    step[: BASIS_SIZES[1] - 1] = _STEP_OF_FIRST
    quantised = ((rest * 128 + 128) / step).round() * step
    flags = _ANTIALIASED if gaussians.antialiased else 0
    head = _HEADER.pack(_MAGIC, 3, len(gaussians), gaussians.degree, fraction, flags, 0)
    body = [
        fixed.astype("<i4").reshape(-1, 1).view(np.uint8)[:, :3].tobytes(),
        _bytes(gaussians.opacity_logits.sigmoid() * 255),
        _bytes((gaussians.harmonics[:, 0] * _COLOUR + 0.5) * 255),
        _bytes((gaussians.log_scales - _LEAST_SCALE) * _SCALE),
        _packed_quaternions(gaussians.quaternions),
        _bytes(quantised),
    ]
    return gzip.compress(head + b"".join(body), mtime=0)


def _floats(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))


def _bytes(values: Tensor) -> bytes:
    array: NDArray[np.uint8] = values.round().clamp(0, 255).to(torch.uint8).numpy()
    return array.tobytes()


def _positions(array: NDArray[np.uint8], fraction: int) -> Tensor:
    low, middle, high = (array.reshape(-1, 3, 3)[..., i].astype(np.int32) for i in range(3))
    fixed = low | middle << 8 | high << 16
    return torch.from_numpy((fixed - ((fixed & 0x800000) << 1)) / 2.0**fraction).float()


def _first_three(array: NDArray[np.uint8]) -> Tensor:
    """Return quaternions of which x, y, z are stored and w is not negative (version 2)."""
    xyz = _floats(array) / 127.5 - 1
    return torch.cat([(1 - (xyz**2).sum(1, keepdim=True)).clamp_min(0).sqrt(), xyz], 1)


def _smallest_three(array: NDArray[np.uint8]) -> Tensor:
    """Return quaternions of which all but the largest of x, y, z, w are stored: sign, 9 bits (version 3)."""
    packed = np.ascontiguousarray(array).view("<u4")[:, 0].astype(np.int64)
    largest, values = packed >> 30, np.zeros((len(packed), 4))
    for component in (3, 2, 1, 0):
        stored = largest != component
        size = (packed & 511) / 511 * _ROOT_HALF
        values[:, component] = np.where(stored, np.where(packed & 512, -size, size), 0)
        packed = np.where(stored, packed >> 10, packed)
    rest = np.sqrt(np.maximum(0, 1 - (values**2).sum(1)))
    values[np.arange(len(values)), largest] = rest
    return torch.from_numpy(values[:, [3, 0, 1, 2]]).float()


def _packed_quaternions(quaternions: Tensor) -> bytes:
    values = quaternions[:, [1, 2, 3, 0]].double().numpy()
    largest = np.abs(values).argmax(1)
    values = values * np.where(np.take_along_axis(values, largest[:, None], 1) < 0, -1, 1)
    packed = largest.astype(np.int64)
    for component in range(4):
        size = np.minimum(511, np.round(np.abs(values[:, component]) / _ROOT_HALF * 511)).astype(np.int64)
        bits = packed << 10 | np.where(values[:, component] < 0, 512, 0) | size
        packed = np.where(largest != component, bits, packed)
    stored: bytes = packed.astype("<u4").tobytes()
    return stored
