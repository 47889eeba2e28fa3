"""Decompression of weights: the ``constexpr_*`` ops, which Core ML evaluates when it loads a program.

Each function has the name and the parameters of its op (coremltools, ops/defs/iOS16/constexpr_ops.py and
ops/defs/iOS18/compression.py). The iOS 16 forms hold flat, packed bytes and the shape separately; the iOS 18
forms hold narrow elements in their own shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nfcore_coreml.evaluator.values import Element, unpack


def constexpr_affine_dequantize(quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: Tensor) -> Tensor:
    """Return ``scale * (quantized_data - zero_point)``; both are scalars or vectors along ``axis``."""
    along_axis = [1] * quantized_data.dim()
    along_axis[int(axis)] = -1

    def aligned(parameter: Tensor) -> Tensor:
        return parameter.reshape(along_axis) if parameter.dim() else parameter

    return aligned(scale) * (quantized_data - aligned(zero_point)).float()


def constexpr_blockwise_shift_scale(data: Tensor, scale: Tensor, offset: Tensor | None = None) -> Tensor:
    """Return ``scale * (data - offset)`` with one scale and offset for each block of ``data``."""
    shifted = data if offset is None else data - _expanded(offset, data.shape)
    return _expanded(scale, data.shape) * shifted.float()


def constexpr_cast(source_val: Tensor, output_dtype: str) -> Tensor:
    """Return the value; the declared type of the result decides how it is stored."""
    return source_val


def constexpr_lut_to_dense(
    indices: Tensor, lut: Tensor, shape: Tensor | None = None, vector_axis: Tensor | None = None
) -> Tensor:
    """Return the entries of one palette (iOS 16, with ``shape``), or of one palette per block (iOS 18).

    Raises:
        NotImplementedError: the palette's entries are vectors.

    """
    if shape is not None:
        dimensions = shape.tolist()
        bits = int(math.log2(len(lut)))
        return lut[_unpacked(indices, bits, dimensions)]
    *blocks, entries, vector = lut.shape
    if vector != 1:
        raise NotImplementedError(f"palettes of {vector}-vectors are not supported")
    first_entry = torch.arange(math.prod(blocks)).reshape(blocks) * entries
    return lut.flatten()[_expanded(first_entry, indices.shape) + indices]


def constexpr_sparse_to_dense(nonzero_data: Tensor, mask: Tensor, shape: Tensor | None = None) -> Tensor:
    """Return zeros with ``nonzero_data`` where ``mask`` is set, row-major; ``shape`` unpacks iOS 16's mask."""
    where = (mask if shape is None else _unpacked(mask, 1, shape.tolist())).bool()
    dense = torch.zeros(where.shape, dtype=nonzero_data.dtype)
    dense[where] = nonzero_data
    return dense


def _unpacked(packed: Tensor, bits: int, shape: list[int]) -> Tensor:
    """Return the numbers of ``bits`` bits each in a flat tensor of bytes."""
    count = math.prod(shape)
    numbers = unpack(packed.numpy().astype(np.uint8).tobytes(), Element("u1", bits, 0), count)
    return torch.from_numpy(numbers[:count].astype(np.int64)).reshape(shape)


def _expanded(parameter: Tensor, shape: torch.Size) -> Tensor:
    """Expand one value per block to one per element; a block's size is the quotient of the shapes."""
    for axis, size in enumerate(shape):
        parameter = parameter.repeat_interleave(size // parameter.shape[axis], dim=axis)
    return parameter


CONSTANTS: dict[str, Callable[..., Tensor]] = {
    function.__name__: function
    for function in (
        constexpr_affine_dequantize,
        constexpr_blockwise_shift_scale,
        constexpr_cast,
        constexpr_lut_to_dense,
        constexpr_sparse_to_dense,
    )
}
