"""Undistortion: photos of real lenses resampled as photos of a pinhole camera."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from nfcore.dataset import resample_photo
from nfcore_scenes.lenses import Lens

#: Rows of the result that are made at a time: bounds the memory for photos of many megapixels.
_ROWS = 256
#: Rows of the photo around those that are looked up: what bicubic interpolation reads, and one for rounding.
_MARGIN = 3


def undistorted(pixels: npt.NDArray[np.uint8], lens: Lens, *, smooth: bool) -> npt.NDArray[np.uint8]:
    """Return a photo resampled for the pinhole camera of the same size that ``lens.pinhole`` returns.

    Each pixel is sampled at its exact position by the lens's model, weighted by alpha.

    Args:
        pixels: (height, width, 1, 3 or 4) grey, RGB or straight RGBA of the lens's size.
        lens: its lens.
        smooth: whether to interpolate bicubically; bilinearly is enough if areas are averaged afterwards.

    """
    height, width = lens.size
    fx, fy, cx, cy = lens.pinhole()
    result = np.empty_like(pixels)
    for first in range(0, height, _ROWS):
        count = min(_ROWS, height - first)
        places = torch.from_numpy(lens.source_pixels((fx, fy, cx, cy - first), count, width))
        top = max(0, int(places[..., 1].min().clamp(0, height - 1)) - _MARGIN)
        bottom = min(height, int(places[..., 1].max().clamp(0, height - 1)) + _MARGIN + 1)
        rows = torch.from_numpy(pixels[top:bottom]).float() / 255
        found = resample_photo(rows, places - torch.tensor([0.0, top]), "bicubic" if smooth else "bilinear")
        result[first : first + count] = (found * 255).round().numpy().astype(np.uint8)
    return result
