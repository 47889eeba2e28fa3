"""MIL ops that sample an image at coordinates, or resize it.

Definitions: coremltools, ops/defs/*/image_resizing.py.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from nfcore_coreml.evaluator.parameters import Flag, Number, Op

#: The sampling modes of MIL that torch has: whether the corners of both images coincide.
ALIGN_CORNERS = {"STRICT_ALIGN_CORNERS": True, "UNALIGN_CORNERS": False}


def resample(
    x: Tensor,
    coordinates: Tensor,
    sampling_mode: str,
    padding_mode: str,
    padding_value: Number,
    coordinates_mode: str,
    align_corners: Flag,
) -> Tensor:
    """Return (b, c, h, w) sampled at ``coordinates`` (b, h', w', 2), x before y, from -1 to 1 across the image."""
    if coordinates_mode != "normalized_minus_one_to_one":
        raise NotImplementedError(f"the coordinates mode {coordinates_mode!r} is not supported")
    padding = {"border": "border", "constant": "zeros", "reflection": "reflection"}.get(padding_mode)
    if padding is None or (padding == "zeros" and float(padding_value)):
        raise NotImplementedError(
            f"the padding mode {padding_mode!r} with {float(padding_value):g} is not supported"
        )
    return F.grid_sample(x, coordinates, sampling_mode, padding, bool(align_corners))


def resize_bilinear(
    x: Tensor, target_size_height: Number = 1, target_size_width: Number = 1, sampling_mode: str = "DEFAULT"
) -> Tensor:
    """Return (..., h, w) resized by bilinear interpolation."""
    if sampling_mode not in ALIGN_CORNERS:
        raise NotImplementedError(f"the sampling mode {sampling_mode!r} is not supported")
    return _bilinear(x, int(target_size_height), int(target_size_width), ALIGN_CORNERS[sampling_mode])


def upsample_bilinear(
    x: Tensor,
    scale_factor_height: Number = 1,
    scale_factor_width: Number = 1,
    align_corners: Flag = True,
    half_pixel_centers: Flag | None = None,
) -> Tensor:
    """Return (..., h, w) enlarged by bilinear interpolation; the spacing is the ratio of the two sizes."""
    aligned = bool(align_corners)
    if half_pixel_centers is not None and bool(half_pixel_centers) == aligned:
        raise NotImplementedError(
            f"corners and half pixels both {'' if aligned else 'un'}aligned are not supported"
        )
    height, width = x.shape[-2:]
    # As in the op's type inference: the factors are floats, and 3 * 1.3333334 is 4.
    return _bilinear(x, int(height * float(scale_factor_height)), int(width * float(scale_factor_width)), aligned)


def upsample_nearest_neighbor(
    x: Tensor, scale_factor_height: Number = 1, scale_factor_width: Number = 1
) -> Tensor:
    """Return (..., h, w) with each texel repeated.

    Raises:
        NotImplementedError: a factor is not an integer; the nearest texel is then not defined.

    """
    for axis, factor in ((-2, float(scale_factor_height)), (-1, float(scale_factor_width))):
        if factor != int(factor):
            raise NotImplementedError(f"the factor {factor:g} is not supported")
        x = x.repeat_interleave(int(factor), axis)
    return x


def _bilinear(x: Tensor, height: int, width: int, align_corners: bool) -> Tensor:
    images = x.reshape(1, -1, *x.shape[-2:])
    resized = F.interpolate(images, (height, width), mode="bilinear", align_corners=align_corners)
    return resized.reshape(*x.shape[:-2], height, width)


RESIZING: dict[str, Op] = {
    "resample": resample,
    "resize_bilinear": resize_bilinear,
    "upsample_bilinear": upsample_bilinear,
    "upsample_nearest_neighbor": upsample_nearest_neighbor,
}
