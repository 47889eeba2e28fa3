"""MIL ops that multiply and sum: convolutions, linear layers, norms, averages of windows.

Definitions: coremltools, ops/defs/*/conv.py, linear.py, normalization.py and pool.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore_coreml.evaluator.parameters import Flag, Number, Op, Vector, ints, torch_pads

#: By the rank of the input: batch, channels and one to three spatial axes.
CONV = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}
CONV_TRANSPOSE = {3: F.conv_transpose1d, 4: F.conv_transpose2d, 5: F.conv_transpose3d}
AVERAGE = {3: F.avg_pool1d, 4: F.avg_pool2d, 5: F.avg_pool3d}
GREATEST = {3: F.max_pool1d, 4: F.max_pool2d, 5: F.max_pool3d}


def avg_pool(
    x: Tensor,
    kernel_sizes: Vector,
    pad_type: str,
    strides: Vector | None = None,
    pad: Vector | None = None,
    exclude_padding_from_average: Flag = False,
    ceil_mode: Flag = False,
) -> Tensor:
    """Return the mean of each window of (b, c, *space); zeros around it count, unless they are excluded."""
    space = x.dim() - 2
    sides = _even_pads(pad_type, pad, space)
    count = not exclude_padding_from_average
    return AVERAGE[x.dim()](x, ints(kernel_sizes), _per_axis(strides, space), sides, bool(ceil_mode), count)


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

    ``pad`` is cropped from the full result; ``output_shape`` overrides how much is left at the far end, which has
    only the bias where the kernel does not reach.
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


def einsum(values: Sequence[Tensor], equation: str) -> Tensor:
    """Return the sum of products by ``equation``."""
    return torch.einsum(equation, *values)


def instance_norm(
    x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, epsilon: Number = 1e-5
) -> Tensor:
    """Return (b, c, *space) with mean 0 and variance 1 over the space of each channel, times gamma, plus beta."""
    return F.instance_norm(x, weight=gamma, bias=beta, eps=float(epsilon))


def l2_norm(x: Tensor, epsilon: Number = 1e-6) -> Tensor:
    """Return ``x`` over the root of the sum of the squares along its last three axes, plus ``epsilon``."""
    return x / (x.square().sum((-3, -2, -1), keepdim=True) + epsilon).sqrt()


def layer_norm(
    x: Tensor,
    axes: Vector | None = None,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: Number = 1e-5,
) -> Tensor:
    """Return ``x`` with mean 0 and variance 1 over ``axes`` (or all), times gamma, plus beta."""
    over = sorted(axis % x.dim() for axis in (range(x.dim()) if axes is None else ints(axes)))
    variance, mean = torch.var_mean(x, over, correction=0, keepdim=True)
    shape = [size if axis in over else 1 for axis, size in enumerate(x.shape)]
    normal = (x - mean) / (variance + epsilon).sqrt()
    scaled = normal if gamma is None else normal * gamma.reshape(shape)
    return scaled if beta is None else scaled + beta.reshape(shape)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``x @ weight.T + bias``."""
    return F.linear(x, weight, bias)


def matmul(x: Tensor, y: Tensor, transpose_x: Flag = False, transpose_y: Flag = False) -> Tensor:
    """Return the matrix product over the last two axes, with either factor transposed first if requested."""
    return (x.mT if transpose_x else x) @ (y.mT if transpose_y else y)


def max_pool(
    x: Tensor,
    kernel_sizes: Vector,
    pad_type: str,
    strides: Vector | None = None,
    pad: Vector | None = None,
    ceil_mode: Flag = False,
) -> Tensor:
    """Return the maximum of each window of (b, c, *space)."""
    space = x.dim() - 2
    sides = _even_pads(pad_type, pad, space)
    return GREATEST[x.dim()](x, ints(kernel_sizes), _per_axis(strides, space), sides, 1, bool(ceil_mode))


def _per_axis(parameter: Vector | None, space: int) -> list[int]:
    return [1] * space if parameter is None else ints(parameter)


def _pads(pad_type: str, pad: Vector | None, space: int) -> list[int]:
    """Return the padding before and after each spatial axis."""
    if pad_type == "valid":
        return [0] * 2 * space
    if pad_type == "custom" and pad is not None:
        return ints(pad)
    raise NotImplementedError(f"the pad type {pad_type!r} is not supported")


def _even_pads(pad_type: str, pad: Vector | None, space: int) -> list[int]:
    """Return the padding on either side of each spatial axis.

    Raises:
        NotImplementedError: the two sides differ.

    """
    pads = _pads(pad_type, pad, space)
    if pads[::2] != pads[1::2]:
        raise NotImplementedError(f"windows padded unevenly, by {pads}, are not supported")
    return pads[::2]


LAYERS: dict[str, Op] = {
    "avg_pool": avg_pool,
    "batch_norm": batch_norm,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "einsum": einsum,
    "instance_norm": instance_norm,
    "l2_norm": l2_norm,
    "layer_norm": layer_norm,
    "linear": linear,
    "matmul": matmul,
    "max_pool": max_pool,
}
