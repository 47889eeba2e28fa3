"""Resampling of a photo as another camera would have taken it, such as one without lens distortion."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

#: Rows that are sampled at a time: bounds the memory for photos of many megapixels.
_ROWS = 256


def resample_photo(pixels: Tensor, places: Tensor, mode: Literal["bilinear", "bicubic"] = "bilinear") -> Tensor:
    """Sample a photo at ``places``; colours are weighted with alpha, so that transparent ones don't bleed in.

    >>> photo = torch.tensor([[[0.0], [1.0]]])  # one row of two pixels, whose centres are at 0.5 and 1.5
    >>> resample_photo(photo, torch.tensor([[[1.0, 0.5]]]))
    tensor([[[0.5000]]])

    Args:
        pixels: (h, w, c) float32 in [0, 1]; four channels are straight RGBA, others are sampled as they are.
        places: (height, width, 2) float32, the position in the photo of each pixel of the result: x, y in pixels,
            the centre of the first at (0.5, 0.5). Beyond the border, the photo's outermost pixels are repeated.
        mode: ``bilinear`` if areas are averaged afterwards, ``bicubic`` if the size does not change.

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
