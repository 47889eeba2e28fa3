"""Vector quantisation of a baked field, to compare with what pages do: vertices are entries of a codebook."""

from __future__ import annotations

import zlib
from typing import Any

import torch
from torch import Tensor

# Rows that are compared with the codebook at once, and iterations of Lloyd's algorithm.
_ROWS, _ITERATIONS = 1 << 15, 12


def quantised(codes: Tensor, sensitivity: Tensor, entries: int) -> tuple[Tensor, int]:
    """Return codes (v, c) uint8 of which only ``entries`` differ, and the bytes of indices and codebook, deflated.

    k-means (Lloyd 1982) in codes that are weighed by how much images depend on their channel.

    Args:
        codes: (v, c) uint8 of the stored vertices, in their order.
        sensitivity: (v, c) of images to each code.
        entries: of the codebook, at most 65536.

    """
    weights = sensitivity.square().mean(0).sqrt()
    points = codes.float() * weights
    start = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))[:entries]
    book = points[start]
    for _ in range(_ITERATIONS):
        index = _nearest(points, book)
        counts = torch.bincount(index, minlength=len(book))[:, None]
        means = torch.zeros_like(book).index_add_(0, index, points) / counts.clamp_min(1)
        book = torch.where(counts > 0, means, book)
    index = _nearest(points, book)
    rounded = (book / weights).round().clamp(0, 255).to(torch.uint8)
    low_and_high = torch.stack([index & 255, index >> 8]).to(torch.uint8)
    size = sum(len(zlib.compress(part.numpy().tobytes(), 9)) for part in (low_and_high, rounded))
    return rounded[index], size


def _nearest(points: Tensor, book: Tensor) -> Tensor:
    half: Any = book.square().sum(1) / 2
    return torch.cat([(half - part @ book.T).argmin(1) for part in points.split(_ROWS)])
