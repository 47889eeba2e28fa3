"""MIL ops that multiply and sum: convolutions, linear layers, norms.

Definitions: coremltools, ops/defs/*/conv.py, linear.py and normalization.py.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from nfcore_coreml.evaluator.parameters import Flag, Number, Op, Vector, ints, torch_pads

#: By the rank of the input: batch, channels and one to three axes of space.
CONV = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}
CONV_TRANSPOSE = {3: F.conv_transpose1d, 4: F.conv_transpose2d, 5: F.conv_transpose3d}


def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: Number = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(variance + epsilon) * gamma + beta, all per channel."""
    return F.batch_norm(x, mean, variance, gamma, beta, eps=float(epsilon))


def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Vector | None = None,
    pad_type: str = "valid",
    pad: Vector | None = None,
    dilations: Vector | None = None,
    groups: Number = 1,
) -> Tensor:
    """Return the convolution of (b, c, *space) with weights (c', c / groups, *kernel)."""
    space = x.dim() - 2
    padded = F.pad(x, torch_pads(_pads(pad_type, pad, space)))
    stride, dilation = _per_axis(strides, space), _per_axis(dilations, space)
    return CONV[x.dim()](padded, weight, bias, stride, 0, dilation, int(groups))


def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    pad: Vector | None = None,
    output_shape: Vector | None = None,
    pad_type: str = "valid",
    strides: Vector | None = None,
    dilations: Vector | None = None,
    groups: Number = 1,
) -> Tensor:
    """Return the transposed convolution of (b, c, *space) with weights (c, c' / groups, *kernel).

    ``pad`` is cropped from the full result; ``output_shape`` overrides how much is left at the far end, which gets
    the bias alone where the kernel does not reach.
    """
    space = x.dim() - 2
    pads = _pads(pad_type, pad, space)
    stride, dilation = _per_axis(strides, space), _per_axis(dilations, space)
    full = CONV_TRANSPOSE[x.dim()](x, weight, None, stride, 0, 0, int(groups), dilation)
    if output_shape is not None:
        for axis, size in enumerate(ints(output_shape)[2:]):
            pads[2 * axis + 1] = full.shape[2 + axis] - pads[2 * axis] - size
    cropped = F.pad(full, torch_pads([-number for number in pads]))
    return cropped if bias is None else cropped + bias.reshape(-1, *[1] * space)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``x @ weight.T + bias``."""
    return F.linear(x, weight, bias)


def matmul(x: Tensor, y: Tensor, transpose_x: Flag = False, transpose_y: Flag = False) -> Tensor:
    """Return the product of the last two axes, either factor transposed first if so asked."""
    return (x.mT if transpose_x else x) @ (y.mT if transpose_y else y)


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
        raise NotImplementedError(f"the coordinates mode {coordinates_mode!r} is not known")
    padding = {"border": "border", "constant": "zeros", "reflection": "reflection"}.get(padding_mode)
    if padding is None or (padding == "zeros" and float(padding_value)):
        raise NotImplementedError(f"the padding mode {padding_mode!r} with {float(padding_value):g} is not known")
    return F.grid_sample(x, coordinates, sampling_mode, padding, bool(align_corners))


def _per_axis(parameter: Vector | None, space: int) -> list[int]:
    return [1] * space if parameter is None else ints(parameter)


def _pads(pad_type: str, pad: Vector | None, space: int) -> list[int]:
    """Return what is padded before and after each axis of space."""
    if pad_type == "valid":
        return [0] * 2 * space
    if pad_type == "custom" and pad is not None:
        return ints(pad)
    raise NotImplementedError(f"the pad type {pad_type!r} is not known")


LAYERS: dict[str, Op] = {
    "batch_norm": batch_norm,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "linear": linear,
    "matmul": matmul,
    "resample": resample,
}
