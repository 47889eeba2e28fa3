"""A photo as another camera would have taken it: its pixels, looked up where that camera's pixels are in it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

#: Rows that are looked up at a time: bounds the memory for photos of many megapixels.
_ROWS = 256


def resample_photo(pixels: Tensor, places: Tensor, mode: Literal["bilinear", "bicubic"] = "bilinear") -> Tensor:
    """Return the pixels of a photo at ``places``; colours are weighted with alpha, so that none bleed out of it.

    >>> photo = torch.tensor([[[0.0], [1.0]]])  # one row of two pixels, whose centres are at 0.5 and 1.5
    >>> resample_photo(photo, torch.tensor([[[1.0, 0.5]]]))
    tensor([[[0.5000]]])

    Args:
        pixels: (h, w, c) float32 in [0, 1]; four channels are straight RGBA, others are looked up as they are.
        places: (height, width, 2) float32, where in the photo each pixel of the result is: x, y in pixels, the
            centre of the first at (0.5, 0.5). Beyond the border, the photo's outermost pixels go on.
        mode: ``bilinear`` where areas are averaged afterwards, ``bicubic`` where the size stays.

    Returns:
        (height, width, c) float32 in [0, 1].

    """
    if pixels.shape[-1] == 4:
        pixels = torch.cat([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], -1)
    height, width, _ = pixels.shape
    grid = 2 * places / torch.tensor([width, height]) - 1
    image = pixels.permute(2, 0, 1)[None]
    bands = [
        F.grid_sample(image, band[None], mode=mode, padding_mode="border", align_corners=False)[0]
        for band in grid.split(_ROWS)
    ]
    found = torch.cat(bands, 1).clamp(0, 1).permute(1, 2, 0)
    if found.shape[-1] == 4:
        found = torch.cat([(found[..., :3] / found[..., 3:].clamp_min(1e-6)).clamp_max(1), found[..., 3:]], -1)
    return found
