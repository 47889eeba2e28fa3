"""Photos through real lenses as a pinhole camera would have taken them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from nfcore_scenes.lenses import Lens
from nfcore_scenes.photos import read_pixels

#: Rows that are looked up at a time: bounds the memory for photos of many megapixels.
_ROWS = 256


def undistorted(
    file: Path,
    mask: Path | None,
    lens: Lens,
    pinhole: tuple[float, float, float, float],
    full_size: tuple[int, int],
    size: tuple[int, int],
) -> npt.NDArray[np.uint8]:
    """Return a photo as ``pinhole`` would have taken it at ``full_size``, scaled down to ``size``.

    Each pixel is looked up exactly where the lens's model puts it, with alpha as weight: bilinearly where areas
    are averaged afterwards, bicubically where the size stays.

    Args:
        file: the photo.
        mask: a grey picture of the same size, black where the photo is to be transparent, or None.
        lens: the lens that took it.
        pinhole: fx, fy, cx, cy in pixels at ``full_size``.
        full_size: (height, width) in pixels.
        size: (height, width) in pixels.

    Returns:
        (height, width, 3) RGB or (height, width, 4) straight RGBA, 8-bit.

    Raises:
        UserError: as ``nfcore_scenes.photos.read_pixels``.

    """
    pixels = torch.from_numpy(read_pixels(file, lens.size, lens.size))
    if mask is not None:
        seen = torch.from_numpy(read_pixels(mask, lens.size, lens.size))[..., :1]
        alpha = pixels[..., 3:] if pixels.shape[-1] == 4 else torch.ones_like(seen)
        pixels = torch.cat([pixels[..., :3], alpha * (seen > 0)], -1)
    if lens.distorts or lens.size != full_size:
        pixels = _looked_up(pixels, lens, pinhole, full_size, "bicubic" if full_size == size else "bilinear")
    picture = Image.fromarray((pixels * 255).round().numpy().astype(np.uint8))
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BOX))


def _looked_up(
    pixels: Tensor,
    lens: Lens,
    pinhole: tuple[float, float, float, float],
    size: tuple[int, int],
    mode: str,
) -> Tensor:
    """Return the pinhole's view (height, width, c) of straight RGB or RGBA ``pixels`` (h, w, c)."""
    if pixels.shape[-1] == 4:
        pixels = torch.cat([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], -1)
    places = torch.from_numpy(lens.source_pixels(pinhole, *size))
    grid = 2 * places / torch.tensor([lens.width, lens.height]) - 1
    image = pixels.permute(2, 0, 1)[None]
    bands = [
        F.grid_sample(image, band[None], mode=mode, padding_mode="border", align_corners=False)[0]
        for band in grid.split(_ROWS)
    ]
    found = torch.cat(bands, 1).clamp(0, 1).permute(1, 2, 0)
    if found.shape[-1] == 4:
        found = torch.cat([(found[..., :3] / found[..., 3:].clamp_min(1e-6)).clamp_max(1), found[..., 3:]], -1)
    return found
