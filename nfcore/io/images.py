"""Images on disk: previews, comparisons."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nfcore.io.atomic import write_atomic

_LEGIBLE = 400  # pixels: smaller images are enlarged so that single pixels are visible


def to_bytes(image: Tensor) -> NDArray[np.uint8]:
    """Return an image (..., h, w, 3) in [0, 1] as uint8, rounded.

    >>> to_bytes(torch.full((1, 1, 3), 0.5)).tolist()
    [[[128, 128, 128]]]
    """
    return (image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def save_png(path: Path, image: Tensor) -> None:
    """Write an image (h, w, 3) in [0, 1] as PNG, atomically.

    >>> save_png(Path("white.png"), torch.ones(4, 6, 3))
    >>> with Image.open("white.png") as picture:
    ...     picture.size
    (6, 4)
    """
    buffer = io.BytesIO()
    Image.fromarray(to_bytes(image)).save(buffer, "png")
    write_atomic(path, buffer.getvalue())


def side_by_side(images: Sequence[Tensor]) -> Tensor:
    """Return images (h, w, 3) in one row, enlarged by an integer factor if they are small."""
    return enlarged(torch.cat([image.detach().cpu().float() for image in images], dim=1), images[0].shape[0])


def enlarged(image: Tensor, height: int) -> Tensor:
    """Repeat the pixels of (..., h, w, 3) so that ``height`` pixels become about 400."""
    factor = max(1, round(_LEGIBLE / height))
    return image.repeat_interleave(factor, -3).repeat_interleave(factor, -2)
