"""Pictures on disk: previews, comparisons."""

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

_COMFORTABLE = 400  # pixels: smaller pictures are enlarged so that a person sees the single pixels


def to_bytes(image: Tensor) -> NDArray[np.uint8]:
    """Return (..., h, w, 3) in [0, 1] as uint8, rounded."""
    return (image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def save_png(path: Path, image: Tensor) -> None:
    """Write one picture (h, w, 3) in [0, 1] as PNG, atomically."""
    buffer = io.BytesIO()
    Image.fromarray(to_bytes(image)).save(buffer, "png")
    write_atomic(path, buffer.getvalue())


def side_by_side(images: Sequence[Tensor]) -> Tensor:
    """Return pictures (h, w, 3) in one row, enlarged by a whole factor if they are small."""
    return enlarged(torch.cat([image.detach().cpu().float() for image in images], dim=1), images[0].shape[0])


def enlarged(image: Tensor, height: int) -> Tensor:
    """Repeat the pixels of (..., h, w, 3) so that ``height`` pixels become at least a comfortable size."""
    factor = max(1, round(_COMFORTABLE / height))
    return image.repeat_interleave(factor, -3).repeat_interleave(factor, -2)
