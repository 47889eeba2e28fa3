"""A baked field in 8 bits: a code for each vertex's raw density and values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore import BakedField

#: The opacity of one march step that no image shows: where nothing is, it may have that.
_CLEAR = 1e-5


@dataclass(frozen=True)
class CodedField:
    """Codes of all vertices, most of which are the empty one.

    Args:
        rows: (x, y, z) int32, the row of each vertex in ``codes``; row 0 is that of empty vertices.
        codes: (v + 1, 1 + c) uint8: raw density from ``low`` to ``high``, values from 0 to 1.
        low: raw density of code 0.
        high: raw density of code 255.

    """

    rows: Tensor
    codes: Tensor
    low: float
    high: float

    @property
    def values(self) -> int:
        """Number of values of a vertex next to its density."""
        return self.codes.shape[1] - 1


def code(baked: BakedField) -> CodedField:
    """Return ``baked`` in 8 bits. Vertices that are not stored have the lowest density."""
    raw = baked.table[1:, 0]
    low, high = _range(baked, raw)
    rows = torch.zeros(baked.shape, dtype=torch.int32)
    rows.view(-1)[baked.vertices] = torch.arange(1, len(raw) + 1, dtype=torch.int32)
    codes = torch.zeros(len(baked.table), baked.table.shape[1], dtype=torch.uint8)
    codes[1:, 0] = _rounded((raw - low) / (high - low))
    codes[1:, 1:] = _rounded(baked.table[1:, 1:])
    return CodedField(rows, codes, low, high)


def _range(baked: BakedField, raw: Tensor) -> tuple[float, float]:
    """Return the raw densities of codes 0 and 255: the least, which is clear, and the greatest of the field."""
    # For small x, softplus(log x) is x.
    clear = math.log(_CLEAR / (baked.density_scale * baked.step)) - baked.density_shift
    empty = clear / baked.density_gain
    if not len(raw):
        return empty, empty + 1
    low = min(float(raw.min()), empty)
    return low, max(float(raw.max()), low + 1e-3)


def _rounded(shares: Tensor) -> Tensor:
    return (shares.clamp(0, 1) * 255).round().to(torch.uint8)
