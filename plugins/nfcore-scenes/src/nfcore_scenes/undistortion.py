"""Undistortion: photos of real lenses resampled as photos of a pinhole camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from nfcore.dataset import read_pixels, resample_photo
from nfcore_scenes.lenses import Lens


def undistorted(
    file: Path,
    mask: Path | None,
    lens: Lens,
    pinhole: tuple[float, float, float, float],
    full_size: tuple[int, int],
    size: tuple[int, int],
) -> npt.NDArray[np.uint8]:
    """Return a photo resampled for ``pinhole`` at ``full_size``, scaled down to ``size``.

    Each pixel is sampled at its exact position by the lens's model, weighted by alpha: bilinearly if areas are
    averaged afterwards, bicubically if the size stays.

    Args:
        file: the photo.
        mask: a grey image of the same size, black where the photo is transparent, or None.
        lens: its lens.
        pinhole: fx, fy, cx, cy in pixels at ``full_size``.
        full_size: (height, width) in pixels.
        size: (height, width) in pixels.

    Returns:
        (height, width, 3) RGB or (height, width, 4) straight RGBA, 8-bit.

    Raises:
        UserError: as ``nfcore.dataset.read_pixels``.

    """
    pixels = torch.from_numpy(read_pixels(file, lens.size, lens.size))
    if mask is not None:
        seen = torch.from_numpy(read_pixels(mask, lens.size, lens.size))[..., :1]
        alpha = pixels[..., 3:] if pixels.shape[-1] == 4 else torch.ones_like(seen)
        pixels = torch.cat([pixels[..., :3], alpha * (seen > 0)], -1)
    if lens.distorts or lens.size != full_size:
        places = torch.from_numpy(lens.source_pixels(pinhole, *full_size))
        pixels = resample_photo(pixels, places, "bicubic" if full_size == size else "bilinear")
    picture = Image.fromarray((pixels * 255).round().numpy().astype(np.uint8))
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BOX))
