"""Every op of the evaluator, in a program that coremltools builds and saves, against torch on random input."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore_coreml.evaluator import Package, Program
from nfcore_coreml.evaluator.ops import OPS
from nfcore_coreml.toolchain import MIL_pb2, coremltools, quiet

with quiet():
    from coremltools.converters.mil import Builder as mb  # noqa: N813 - its name everywhere in coremltools

SHAPE = (2, 8, 4, 6)

WEIGHT = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(2))
BIAS = torch.randn(8, generator=torch.Generator().manual_seed(3))
MATRIX = torch.randn(5, 6, generator=torch.Generator().manual_seed(4))
ROWS = torch.randn(4, 6, generator=torch.Generator().manual_seed(5))
#: Of places along the last axis of ``SHAPE``, some of them counted from its end.
ORDER = torch.randint(-6, 6, (2, 8, 4, 3), generator=torch.Generator().manual_seed(6))

#: The passes with which coremltools makes a program fp16.
HALVING = ["common::add_fp16_cast", "common::cast_optimization", "common::const_elimination"]

#: Ops whose results are no floats.
WHOLE_NUMBERS = {"reduce_argmax", "reduce_argmin", "shape"}

#: For each case the op, how coremltools' builder makes it, and what it is in torch. ``x`` and ``y`` are normal.
CASES: dict[str, tuple[str, Callable[..., Any], Callable[[Tensor, Tensor], Tensor]]] = {
    "abs": ("abs", lambda x, y: mb.abs(x=x), lambda x, y: x.abs()),
    "add": ("add", lambda x, y: mb.add(x=x, y=y), lambda x, y: x + y),
    "batch_norm": (
        "batch_norm",
        lambda x, y: mb.batch_norm(
            x=x,
            mean=BIAS.numpy(),
            variance=BIAS.abs().numpy(),
            gamma=BIAS.numpy(),
            beta=BIAS.numpy(),
            epsilon=1e-3,
        ),
        lambda x, y: F.batch_norm(x, BIAS, BIAS.abs(), BIAS, BIAS, eps=1e-3),
    ),
    "cast to int": (
        "cast",
        lambda x, y: mb.cast(x=mb.cast(x=x, dtype="int32"), dtype="fp32"),
        lambda x, y: x.trunc(),
    ),
    "cast to fp16": (
        "cast",
        lambda x, y: mb.cast(x=mb.cast(x=x, dtype="fp16"), dtype="fp32"),
        lambda x, y: x.half().float(),
    ),
    "clip": ("clip", lambda x, y: mb.clip(x=x, alpha=-0.5, beta=0.7), lambda x, y: x.clamp(-0.5, 0.7)),
    "concat": ("concat", lambda x, y: mb.concat(values=[x, y, x], axis=-3), lambda x, y: torch.cat([x, y, x], 1)),
    "conv": (
        "conv",
        lambda x, y: mb.conv(
            x=x,
            weight=WEIGHT.numpy(),
            bias=BIAS.numpy(),
            strides=[1, 2],
            dilations=[1, 2],
            groups=2,
            pad_type="custom",
            pad=[1, 1, 2, 2],
        ),
        lambda x, y: F.conv2d(x, WEIGHT, BIAS, (1, 2), (1, 2), (1, 2), 2),
    ),
    "conv without options": (
        "conv",
        lambda x, y: mb.conv(x=x, weight=WEIGHT[:, :, :1, :1].repeat(1, 2, 1, 1).numpy()),
        lambda x, y: F.conv2d(x, WEIGHT[:, :, :1, :1].repeat(1, 2, 1, 1)),
    ),
    "conv padded unevenly": (
        "conv",
        lambda x, y: mb.conv(x=x, weight=WEIGHT.numpy(), groups=2, pad_type="custom", pad=[0, 2, 1, 0]),
        lambda x, y: F.conv2d(F.pad(x, (1, 0, 0, 2)), WEIGHT, groups=2),
    ),
    "conv along one axis": (
        "conv",
        lambda x, y: mb.conv(
            x=mb.squeeze(x=mb.slice_by_size(x=x, begin=[0] * 4, size=[2, 8, 1, 6]), axes=[2]),
            weight=WEIGHT[:, :, 0].repeat(1, 2, 1).numpy(),
        ),
        lambda x, y: F.conv1d(x[:, :, 0], WEIGHT[:, :, 0].repeat(1, 2, 1)),
    ),
    "conv_transpose": (
        "conv_transpose",
        lambda x, y: mb.conv_transpose(
            x=x, weight=WEIGHT.numpy(), bias=BIAS[:4].numpy(), strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]
        ),
        lambda x, y: F.conv_transpose2d(x, WEIGHT, BIAS[:4], 2, 1),
    ),
    "conv_transpose with an output shape": (
        "conv_transpose",
        lambda x, y: mb.conv_transpose(
            x=x,
            weight=WEIGHT.numpy(),
            bias=BIAS[:4].numpy(),
            strides=[3, 3],
            pad_type="custom",
            pad=[0, 0, 0, 0],
            output_shape=[2, 4, 14, 20],
        ),
        lambda x, y: F.conv_transpose2d(x, WEIGHT, BIAS[:4], 3, 0, output_padding=2),
    ),
    "conv_transpose without options": (
        "conv_transpose",
        lambda x, y: mb.conv_transpose(x=x, weight=WEIGHT.numpy()),
        lambda x, y: F.conv_transpose2d(x, WEIGHT),
    ),
    "cos": ("cos", lambda x, y: mb.cos(x=x), lambda x, y: x.cos()),
    "crop": (
        "crop",
        lambda x, y: mb.crop(x=x, crop_height=[1, 0], crop_width=[0, 2]),
        lambda x, y: x[:, :, 1:, :-2],
    ),
    "cumsum": ("cumsum", lambda x, y: mb.cumsum(x=x, axis=2), lambda x, y: x.cumsum(2)),
    "cumsum, exclusive": (
        "cumsum",
        lambda x, y: mb.cumsum(x=x, axis=1, exclusive=True),
        lambda x, y: F.pad(x.cumsum(1), (0, 0, 0, 0, 1, 0))[:, :-1],
    ),
    "cumsum, reverse": (
        "cumsum",
        lambda x, y: mb.cumsum(x=x, axis=3, reverse=True),
        lambda x, y: x.sum(3, keepdim=True) - x.cumsum(3) + x,
    ),
    "equal": (
        "equal",
        lambda x, y: mb.equal(x=mb.floor(x=x), y=mb.floor(x=y)),
        lambda x, y: x.floor() == y.floor(),
    ),
    "exp": ("exp", lambda x, y: mb.exp(x=x), lambda x, y: x.exp()),
    "expand_dims": (
        "expand_dims",
        lambda x, y: mb.expand_dims(x=mb.reduce_sum(x=x, axes=[0], keep_dims=False), axes=[-1, 1]),
        lambda x, y: x.sum(0)[:, None, :, :, None],
    ),
    "fill": (
        "fill",
        lambda x, y: mb.add(x=x, y=mb.fill(shape=SHAPE, value=1.5)),
        lambda x, y: x + 1.5,
    ),
    "fill_like": (
        "fill_like",
        lambda x, y: mb.fill_like(ref_tensor=x, value=-1.0),
        lambda x, y: -torch.ones_like(x),
    ),
    "floor": ("floor", lambda x, y: mb.floor(x=x), lambda x, y: x.floor()),
    "floor_div": ("floor_div", lambda x, y: mb.floor_div(x=x, y=y), lambda x, y: (x / y).floor()),
    "gather": (
        "gather",
        lambda x, y: mb.gather(x=x, indices=[[3, 0], [-1, 3]], axis=-2),
        lambda x, y: torch.stack([x[:, :, [3, 0]], x[:, :, [3, 3]]], 2),
    ),
    "gelu": ("gelu", lambda x, y: mb.gelu(x=x), lambda x, y: x * 0.5 * (1 + torch.erf(x / 2**0.5))),
    "gelu, tanh": (
        "gelu",
        lambda x, y: mb.gelu(x=x, mode="TANH_APPROXIMATION"),
        lambda x, y: x * 0.5 * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3))),
    ),
    "gelu, sigmoid": (
        "gelu",
        lambda x, y: mb.gelu(x=x, mode="SIGMOID_APPROXIMATION"),
        lambda x, y: x / (1 + torch.exp(-1.702 * x)),
    ),
    "greater": ("greater", lambda x, y: mb.greater(x=x, y=y), lambda x, y: x > y),
    "greater_equal": ("greater_equal", lambda x, y: mb.greater_equal(x=x, y=y), lambda x, y: x >= y),
    "identity": ("identity", lambda x, y: mb.identity(x=x), lambda x, y: x),
    "inverse": ("inverse", lambda x, y: mb.inverse(x=mb.abs(x=x), epsilon=0.5), lambda x, y: 1 / (x.abs() + 0.5)),
    "leaky_relu": ("leaky_relu", lambda x, y: mb.leaky_relu(x=x, alpha=0.3), lambda x, y: F.leaky_relu(x, 0.3)),
    "less": ("less", lambda x, y: mb.less(x=x, y=y), lambda x, y: x < y),
    "less_equal": ("less_equal", lambda x, y: mb.less_equal(x=x, y=y), lambda x, y: x <= y),
    "linear": (
        "linear",
        lambda x, y: mb.linear(x=x, weight=MATRIX.numpy(), bias=BIAS[:5].numpy()),
        lambda x, y: torch.einsum("bchw,dw->bchd", x, MATRIX) + BIAS[:5],
    ),
    "log": ("log", lambda x, y: mb.log(x=mb.square(x=x), epsilon=0.25), lambda x, y: torch.log(x**2 + 0.25)),
    "logical_and": (
        "logical_and",
        lambda x, y: mb.logical_and(x=mb.greater(x=x, y=0.0), y=mb.greater(x=y, y=0.0)),
        lambda x, y: torch.minimum(x, y) > 0,
    ),
    "logical_not": (
        "logical_not",
        lambda x, y: mb.logical_not(x=mb.greater(x=x, y=0.0)),
        lambda x, y: x <= 0,
    ),
    "logical_or": (
        "logical_or",
        lambda x, y: mb.logical_or(x=mb.greater(x=x, y=0.0), y=mb.greater(x=y, y=0.0)),
        lambda x, y: torch.maximum(x, y) > 0,
    ),
    "matmul": (
        "matmul",
        lambda x, y: mb.matmul(x=x, y=y, transpose_y=True),
        lambda x, y: torch.einsum("bcik,bcjk->bcij", x, y),
    ),
    "matmul, first transposed": (
        "matmul",
        lambda x, y: mb.matmul(x=x, y=y, transpose_x=True),
        lambda x, y: torch.einsum("bcki,bckj->bcij", x, y),
    ),
    "maximum": ("maximum", lambda x, y: mb.maximum(x=x, y=y), lambda x, y: torch.where(x > y, x, y)),
    "minimum": ("minimum", lambda x, y: mb.minimum(x=x, y=0.25), lambda x, y: x.clamp(max=0.25)),
    "mul": ("mul", lambda x, y: mb.mul(x=x, y=y), lambda x, y: x * y),
    "not_equal": (
        "not_equal",
        lambda x, y: mb.not_equal(x=mb.floor(x=x), y=mb.floor(x=y)),
        lambda x, y: x.floor() != y.floor(),
    ),
    "pad": (
        "pad",
        lambda x, y: mb.pad(x=x, pad=[1, 0, 0, 2], constant_val=0.5),
        lambda x, y: F.pad(x, (0, 2, 1, 0), value=0.5),
    ),
    "pixel_shuffle": (
        "pixel_shuffle",
        lambda x, y: mb.pixel_shuffle(x=x, upscale_factor=2),
        lambda x, y: x.reshape(2, 2, 2, 2, 4, 6).permute(0, 1, 4, 2, 5, 3).reshape(2, 2, 8, 12),
    ),
    "pow": ("pow", lambda x, y: mb.pow(x=mb.abs(x=x), y=1.5), lambda x, y: x.abs() ** 1.5),
    "real_div": ("real_div", lambda x, y: mb.real_div(x=x, y=y), lambda x, y: x / y),
    "reduce_l2_norm": (
        "reduce_l2_norm",
        lambda x, y: mb.reduce_l2_norm(x=x, axes=[1], keep_dims=True),
        lambda x, y: x.square().sum(1, keepdim=True).sqrt(),
    ),
    "reduce_max": (
        "reduce_max",
        lambda x, y: mb.reduce_max(x=x, axes=[1, -1], keep_dims=True),
        lambda x, y: x.amax((1, 3), keepdim=True),
    ),
    "reduce_mean": ("reduce_mean", lambda x, y: mb.reduce_mean(x=x, axes=[2]), lambda x, y: x.mean(2)),
    "reduce_min": ("reduce_min", lambda x, y: mb.reduce_min(x=x, axes=[1]), lambda x, y: x.amin(1)),
    "reduce_sum": ("reduce_sum", lambda x, y: mb.reduce_sum(x=x, axes=[0, 3]), lambda x, y: x.sum((0, 3))),
    "relu": ("relu", lambda x, y: mb.relu(x=x), lambda x, y: x.clamp(min=0)),
    "resample": (
        "resample",
        lambda x, y: mb.resample(
            x=x,
            coordinates=mb.transpose(x=mb.slice_by_size(x=y, begin=[0] * 4, size=[2, 2, 4, 6]), perm=[0, 2, 3, 1]),
            sampling_mode="bilinear",
            padding_mode="border",
            padding_value=0.0,
            coordinates_mode="normalized_minus_one_to_one",
            align_corners=True,
        ),
        lambda x, y: bilinear(x, *y[:, :2].unbind(1)),
    ),
    "reshape": ("reshape", lambda x, y: mb.reshape(x=x, shape=[4, -1, 12]), lambda x, y: x.reshape(4, 8, 12)),
    "rsqrt": ("rsqrt", lambda x, y: mb.rsqrt(x=mb.abs(x=x), epsilon=0.1), lambda x, y: (x.abs() + 0.1) ** -0.5),
    "select": (
        "select",
        lambda x, y: mb.select(cond=mb.greater(x=x, y=y), a=x, b=y),
        lambda x, y: torch.maximum(x, y),
    ),
    "sigmoid": ("sigmoid", lambda x, y: mb.sigmoid(x=x), lambda x, y: 1 / (1 + torch.exp(-x))),
    "silu": ("silu", lambda x, y: mb.silu(x=x), lambda x, y: x / (1 + torch.exp(-x))),
    "sin": ("sin", lambda x, y: mb.sin(x=x), lambda x, y: x.sin()),
    "slice_by_index": (
        "slice_by_index",
        lambda x, y: mb.slice_by_index(
            x=x,
            begin=[0, 1, 0, -5],
            end=[1, 7, 3, -1],
            stride=[1, 2, 1, 3],
            begin_mask=[False, False, True, False],
            end_mask=[True, False, False, True],
        ),
        lambda x, y: x[:, 1:7:2, :3, -5::3],
    ),
    "slice_by_index, one entry": (
        "slice_by_index",
        lambda x, y: mb.slice_by_index(
            x=x, begin=[0, 3, 0, 0], end=[2, 4, 4, 6], squeeze_mask=[False, True, False, False]
        ),
        lambda x, y: x[:, 3],
    ),
    "shape": (
        "shape",
        lambda x, y: mb.cast(x=mb.shape(x=mb.squeeze(x=mb.reduce_sum(x=x, axes=[0]))), dtype="fp32"),
        lambda x, y: torch.tensor([8.0, 4, 6]),
    ),
    "slice_by_size": (
        "slice_by_size",
        lambda x, y: mb.slice_by_size(x=x, begin=[0, 2, 1, 0], size=[2, 3, 2, -1]),
        lambda x, y: x[:, 2:5, 1:3],
    ),
    "softmax": (
        "softmax",
        lambda x, y: mb.softmax(x=x, axis=1),
        lambda x, y: x.exp() / x.exp().sum(1, keepdim=True),
    ),
    "softplus": ("softplus", lambda x, y: mb.softplus(x=x), lambda x, y: torch.log1p(x.exp())),
    "split": (
        "split",
        lambda x, y: mb.concat(values=mb.split(x=x, num_splits=2, axis=1)[::-1], axis=1),
        lambda x, y: torch.cat([x[:, 4:], x[:, :4]], 1),
    ),
    "split into sizes": (
        "split",
        lambda x, y: mb.concat(values=mb.split(x=x, split_sizes=[1, 3, 2], axis=3)[::-1], axis=3),
        lambda x, y: torch.cat([x[..., 4:], x[..., 1:4], x[..., :1]], 3),
    ),
    "sqrt": ("sqrt", lambda x, y: mb.sqrt(x=mb.abs(x=x)), lambda x, y: x.abs() ** 0.5),
    "square": ("square", lambda x, y: mb.square(x=x), lambda x, y: x * x),
    "squeeze": (
        "squeeze",
        lambda x, y: mb.squeeze(x=mb.reduce_sum(x=x, axes=[0, 2], keep_dims=True), axes=[0, -2]),
        lambda x, y: x.sum((0, 2)),
    ),
    "stack": ("stack", lambda x, y: mb.stack(values=[x, y], axis=2), lambda x, y: torch.stack([x, y], 2)),
    "sub": ("sub", lambda x, y: mb.sub(x=x, y=y), lambda x, y: x - y),
    "tanh": ("tanh", lambda x, y: mb.tanh(x=x), lambda x, y: 1 - 2 / (torch.exp(2 * x) + 1)),
    "tile": ("tile", lambda x, y: mb.tile(x=x, reps=[1, 2, 1, 3]), lambda x, y: x.repeat(1, 2, 1, 3)),
    "transpose": (
        "transpose",
        lambda x, y: mb.transpose(x=x, perm=[0, 2, -1, 1]),
        lambda x, y: x.permute(0, 2, 3, 1),
    ),
    "acos": ("acos", lambda x, y: mb.acos(x=mb.tanh(x=x)), lambda x, y: torch.acos(x.tanh())),
    "asin": ("asin", lambda x, y: mb.asin(x=mb.tanh(x=x)), lambda x, y: torch.asin(x.tanh())),
    "atan": ("atan", lambda x, y: mb.atan(x=x), lambda x, y: torch.atan2(x, torch.ones_like(x))),
    "atanh": (
        "atanh",
        lambda x, y: mb.atanh(x=mb.mul(x=mb.tanh(x=x), y=0.5)),
        lambda x, y: 0.5 * torch.log((1 + x.tanh() / 2) / (1 - x.tanh() / 2)),
    ),
    "avg_pool": (
        "avg_pool",
        lambda x, y: mb.avg_pool(x=x, kernel_sizes=[2, 3], strides=[2, 1], pad_type="custom", pad=[0, 0, 1, 1]),
        lambda x, y: F.pad(x, (1, 1)).unfold(2, 2, 2).unfold(3, 3, 1).mean((-2, -1)),
    ),
    "avg_pool, borders excluded": (
        "avg_pool",
        lambda x, y: mb.avg_pool(
            x=x, kernel_sizes=[1, 3], pad_type="custom", pad=[0, 0, 1, 1], exclude_padding_from_average=True
        ),
        lambda x, y: (
            F.pad(x, (1, 1)).unfold(3, 3, 1).sum(-1) / F.pad(torch.ones_like(x), (1, 1)).unfold(3, 3, 1).sum(-1)
        ),
    ),
    "ceil": ("ceil", lambda x, y: mb.ceil(x=x), lambda x, y: -(-x).floor()),
    "clamped_relu": (
        "clamped_relu",
        lambda x, y: mb.clamped_relu(x=x, alpha=0.1, beta=0.5),
        lambda x, y: F.leaky_relu(x, 0.1).clamp(max=0.5),
    ),
    "cosh": ("cosh", lambda x, y: mb.cosh(x=x), lambda x, y: (x.exp() + (-x).exp()) / 2),
    "einsum": (
        "einsum",
        lambda x, y: mb.einsum(values=[x, mb.transpose(x=y, perm=[0, 3, 2, 1])], equation="nchw,nwhu->nchu"),
        lambda x, y: torch.stack([(x * y[:, u, None]).sum(-1) for u in range(8)], -1),
    ),
    "elu": ("elu", lambda x, y: mb.elu(x=x, alpha=0.7), lambda x, y: F.elu(x, 0.7)),
    "erf": ("erf", lambda x, y: mb.erf(x=x), lambda x, y: 2 * torch.special.ndtr(x * 2**0.5) - 1),
    "exp2": ("exp2", lambda x, y: mb.exp2(x=x), lambda x, y: 2**x),
    "gather_along_axis": (
        "gather_along_axis",
        lambda x, y: mb.gather_along_axis(x=x, indices=ORDER.numpy().astype("int32"), axis=-1),
        lambda x, y: x.gather(3, ORDER % 6),
    ),
    "instance_norm": (
        "instance_norm",
        lambda x, y: mb.instance_norm(x=x, gamma=BIAS.numpy(), beta=BIAS.numpy(), epsilon=1e-3),
        lambda x, y: (
            (x - x.mean((2, 3), keepdim=True))
            / (x.var((2, 3), correction=0, keepdim=True) + 1e-3).sqrt()
            * BIAS[:, None, None]
            + BIAS[:, None, None]
        ),
    ),
    "l2_norm": (
        "l2_norm",
        lambda x, y: mb.l2_norm(x=x, epsilon=0.5),
        lambda x, y: x / (x.square().sum((1, 2, 3), keepdim=True) + 0.5).sqrt(),
    ),
    "layer_norm": (
        "layer_norm",
        lambda x, y: mb.layer_norm(x=x, axes=[-1, 2], gamma=ROWS.numpy(), beta=ROWS.exp().numpy(), epsilon=1e-3),
        lambda x, y: F.layer_norm(x, (4, 6), ROWS, ROWS.exp(), 1e-3),
    ),
    "layer_norm over the channels": (
        "layer_norm",
        lambda x, y: mb.layer_norm(x=x, axes=[1], gamma=BIAS.numpy(), epsilon=1e-3),
        lambda x, y: F.layer_norm(x.movedim(1, -1), (8,), BIAS, None, 1e-3).movedim(-1, 1),
    ),
    "linear_activation": (
        "linear_activation",
        lambda x, y: mb.linear_activation(x=x, alpha=1.5, beta=-0.25),
        lambda x, y: 1.5 * x - 0.25,
    ),
    "logical_xor": (
        "logical_xor",
        lambda x, y: mb.logical_xor(x=mb.greater(x=x, y=0.0), y=mb.greater(x=y, y=0.0)),
        lambda x, y: x * y < 0,
    ),
    "max_pool": (
        "max_pool",
        lambda x, y: mb.max_pool(x=x, kernel_sizes=[2, 3], strides=[2, 1], pad_type="custom", pad=[0, 0, 1, 1]),
        lambda x, y: F.pad(x, (1, 1), value=-1e9).unfold(2, 2, 2).unfold(3, 3, 1).amax((-2, -1)),
    ),
    "mod": (
        "mod",
        lambda x, y: mb.mod(x=mb.mul(x=x, y=4.0), y=0.75),
        lambda x, y: 4 * x - 0.75 * (4 * x / 0.75).floor(),
    ),
    "pad, mirrored": (
        "pad",
        lambda x, y: mb.pad(x=x, pad=[1, 2, 2, 1], mode="reflect"),
        lambda x, y: x[:, :, [1, 0, 1, 2, 3, 2, 1]][..., [2, 1, 0, 1, 2, 3, 4, 5, 4]],
    ),
    "pad, repeated": (
        "pad",
        lambda x, y: mb.pad(x=x, pad=[0, 0, 0, 0, 1, 0, 0, 2], mode="replicate"),
        lambda x, y: x[:, :, [0, 0, 1, 2, 3]][..., [0, 1, 2, 3, 4, 5, 5, 5]],
    ),
    "pixel_unshuffle": (
        "pixel_unshuffle",
        lambda x, y: mb.pixel_unshuffle(x=x, downscale_factor=np.uint32(2)),
        lambda x, y: x.reshape(2, 8, 2, 2, 3, 2).permute(0, 1, 3, 5, 2, 4).reshape(2, 32, 2, 3),
    ),
    "prelu": (
        "prelu",
        lambda x, y: mb.prelu(x=x, alpha=BIAS.numpy()),
        lambda x, y: torch.where(x > 0, x, x * BIAS[:, None, None]),
    ),
    "reduce_argmax": (
        "reduce_argmax",
        lambda x, y: mb.cast(x=mb.reduce_argmax(x=x, axis=1, keep_dims=True), dtype="fp32"),
        lambda x, y: x.argmax(1, keepdim=True),
    ),
    "reduce_argmin": (
        "reduce_argmin",
        lambda x, y: mb.cast(x=mb.reduce_argmin(x=x), dtype="fp32"),
        lambda x, y: (-x).argmax(-1),
    ),
    "reduce_l1_norm": (
        "reduce_l1_norm",
        lambda x, y: mb.reduce_l1_norm(x=x, axes=[1, 3]),
        lambda x, y: x.abs().sum((1, 3)),
    ),
    "reduce_log_sum_exp": (
        "reduce_log_sum_exp",
        lambda x, y: mb.reduce_log_sum_exp(x=x, axes=[-1], keep_dims=True),
        lambda x, y: x.exp().sum(-1, keepdim=True).log(),
    ),
    "reduce_prod": (
        "reduce_prod",
        lambda x, y: mb.reduce_prod(x=x, axes=[-1, 0]),
        lambda x, y: x.prod(3).prod(0),
    ),
    "reduce_sum_square": (
        "reduce_sum_square",
        lambda x, y: mb.reduce_sum_square(x=x, axes=[2], keep_dims=True),
        lambda x, y: (x * x).sum(2, keepdim=True),
    ),
    "relu6": ("relu6", lambda x, y: mb.relu6(x=mb.mul(x=x, y=5.0)), lambda x, y: (5 * x).clamp(0, 6)),
    "resize_bilinear": (
        "resize_bilinear",
        lambda x, y: mb.resize_bilinear(
            x=x, target_size_height=7, target_size_width=9, sampling_mode="STRICT_ALIGN_CORNERS"
        ),
        lambda x, y: resized(x, torch.arange(7) * 3 / 6, torch.arange(9) * 5 / 8),
    ),
    "resize_bilinear, unaligned": (
        "resize_bilinear",
        lambda x, y: mb.resize_bilinear(
            x=x, target_size_height=7, target_size_width=9, sampling_mode="UNALIGN_CORNERS"
        ),
        lambda x, y: resized(x, (torch.arange(7) + 0.5) * 4 / 7 - 0.5, (torch.arange(9) + 0.5) * 6 / 9 - 0.5),
    ),
    "reverse": ("reverse", lambda x, y: mb.reverse(x=x, axes=[1, -1]), lambda x, y: x.flip(1).flip(3)),
    "round": ("round", lambda x, y: mb.round(x=x), lambda x, y: (x + 0.5).floor()),
    "scaled_tanh": (
        "scaled_tanh",
        lambda x, y: mb.scaled_tanh(x=x, alpha=1.5, beta=0.5),
        lambda x, y: 1.5 * (1 - 2 / (x.exp() + 1)),
    ),
    "sigmoid_hard": (
        "sigmoid_hard",
        lambda x, y: mb.sigmoid_hard(x=x, alpha=0.5, beta=0.25),
        lambda x, y: (0.5 * x + 0.25).clamp(0, 1),
    ),
    "sign": ("sign", lambda x, y: mb.sign(x=x), lambda x, y: x / x.abs()),
    "sinh": ("sinh", lambda x, y: mb.sinh(x=x), lambda x, y: (x.exp() - (-x).exp()) / 2),
    "softsign": ("softsign", lambda x, y: mb.softsign(x=x), lambda x, y: x / (1 + x.abs())),
    "tan": (
        "tan",
        lambda x, y: mb.tan(x=mb.tanh(x=x)),
        lambda x, y: x.tanh().sin() / x.tanh().cos(),
    ),
    "threshold": ("threshold", lambda x, y: mb.threshold(x=x, alpha=0.25), lambda x, y: x.clamp(min=0.25)),
    "thresholded_relu": (
        "thresholded_relu",
        lambda x, y: mb.thresholded_relu(x=x, alpha=0.5),
        lambda x, y: x * (x >= 0.5),
    ),
    "upsample_bilinear": (
        "upsample_bilinear",
        lambda x, y: mb.upsample_bilinear(x=x, scale_factor_height=2, scale_factor_width=3, align_corners=False),
        lambda x, y: resized(x, (torch.arange(8) + 0.5) / 2 - 0.5, (torch.arange(18) + 0.5) / 3 - 0.5),
    ),
    "upsample_bilinear, aligned": (
        "upsample_bilinear",
        lambda x, y: mb.upsample_bilinear(x=x, scale_factor_height=2.0, scale_factor_width=1.5),
        lambda x, y: resized(x, torch.arange(8) * 3 / 7, torch.arange(9) * 5 / 8),
    ),
    "upsample_nearest_neighbor": (
        "upsample_nearest_neighbor",
        lambda x, y: mb.upsample_nearest_neighbor(x=x, scale_factor_height=2, scale_factor_width=3),
        lambda x, y: x[:, :, torch.arange(8) // 2][..., torch.arange(18) // 3],
    ),
}


def resized(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the image (b, c, h, w) at whole and broken rows and columns, which are moved to the border."""
    return between(between(image, rows, 2), columns, 3)


def between(image: Tensor, places: Tensor, axis: int) -> Tensor:
    places = places.clamp(0, image.shape[axis] - 1)
    first = places.floor().long()
    second = (first + 1).clamp(max=image.shape[axis] - 1)
    share = (places - first).reshape([-1 if i == axis else 1 for i in range(4)])
    return image.index_select(axis, first) * (1 - share) + image.index_select(axis, second) * share


def bilinear(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Weigh the four texels around each place (b, h, w) in [-1, 1]; places beyond are moved to the border."""
    height, width = image.shape[2:]
    column, row = ((x.clamp(-1, 1) + 1) / 2 * (width - 1)), ((y.clamp(-1, 1) + 1) / 2 * (height - 1))
    total = torch.zeros(())
    batch = torch.arange(len(image))[:, None, None]
    for i in (0, 1):
        for j in (0, 1):
            at_row, at_column = row.floor() + i, column.floor() + j
            weight = (1 - (row - at_row).abs()) * (1 - (column - at_column).abs())
            texel = image[batch, :, at_row.long().clamp(max=height - 1), at_column.long().clamp(max=width - 1)]
            total = total + weight[:, None] * texel.permute(0, 3, 1, 2)
    return total


def test_every_op_of_the_table_has_a_case():
    assert {op for op, _, _ in CASES.values()} == set(OPS)


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def results(request, tmp_path_factory) -> tuple[str, Package, Tensor, Tensor, dict[str, Tensor]]:
    """All cases in one program of a precision: its name, the package, the inputs, and what each case gives."""

    def every_case(x, y):
        return {case: build(x, y) for case, (_, build, _) in CASES.items()}

    folder = tmp_path_factory.mktemp(request.param)
    package = saved_program(every_case, folder, half=request.param == "fp16")
    x, y = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))
    outputs = Program(package)(x=x, y=y)
    return request.param, package, x, y, {case: outputs[output_name(case)] for case in CASES}


@pytest.mark.parametrize("case", CASES)
def test_an_op_agrees_with_torch_in_fp32_and_in_fp16(case, results):
    precision, package, x, y, found = results
    op, _, expected = CASES[case]
    operations = [operation for operation in package.block.operations if operation.type == op]
    # coremltools may fold what hangs on constants alone.
    assert operations or (precision, op) in {("fp16", "fill"), ("fp16", "shape")}
    if precision == "fp32":
        wanted = expected(x, y)
        torch.testing.assert_close(found[case], wanted.to(found[case].dtype), rtol=2e-6, atol=2e-6)
        return
    if op not in WHOLE_NUMBERS:
        types = {operation.outputs[0].type.tensorType.dataType for operation in operations}
        assert types <= {MIL_pb2.FLOAT16, MIL_pb2.BOOL} or op == "cast"
    wanted = expected(x.half().float(), y.half().float())
    # A case of several ops rounds several times, each by 2**-11 at most of what it has; sums have up to 30 terms.
    torch.testing.assert_close(found[case], wanted.to(found[case].dtype), rtol=4e-3, atol=4e-3)


@pytest.mark.parametrize("op", ["sin", "mul", "softmax"])
def test_fp16_results_are_rounded_after_every_op(op, tmp_path):
    build = {
        "sin": lambda x: mb.sin(x=mb.sin(x=x)),
        "mul": lambda x: mb.mul(x=mb.mul(x=x, y=x), y=x),
        "softmax": lambda x: mb.softmax(x=mb.softmax(x=x, axis=1), axis=1),
    }[op]
    program = saved_program(lambda x, y: mb.cast(x=build(mb.cast(x=x, dtype="fp16")), dtype="fp32"), tmp_path)
    x, y = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))
    half = x.half().float()
    once = {"sin": torch.sin, "mul": lambda v: v * half, "softmax": lambda v: v.softmax(1)}[op]
    (result,) = Program(program)(x=x, y=y).values()
    expected = once(once(half).half().float()).half().float()
    assert torch.equal(result, expected)
    assert not torch.equal(result, once(once(half)).half().float())


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda x, y: mb.slice_by_index(x=x, begin=[1, 7, 3, 5], end=[0, 0, 0, 0], stride=[-1] * 4), "negative"),
        (lambda x, y: mb.avg_pool(x=x, kernel_sizes=[2, 2], pad_type="custom", pad=[0, 1, 0, 0]), "unevenly"),
        (lambda x, y: mb.upsample_nearest_neighbor(x=x, scale_factor_height=1.5), "factor 1.5"),
        (lambda x, y: mb.resize_bilinear(x=x, target_size_height=8, target_size_width=6), "'DEFAULT'"),
        (
            lambda x, y: mb.upsample_bilinear(
                x=x, scale_factor_height=2, align_corners=False, half_pixel_centers=False
            ),
            "both unaligned",
        ),
        (lambda x, y: mb.conv(x=x, weight=WEIGHT.numpy(), groups=2, pad_type="same"), "'same'"),
        (lambda x, y: mb.concat(values=[x, y], axis=1, interleave=True), "interleaving"),
        (
            lambda x, y: mb.resample(
                x=x,
                coordinates=mb.slice_by_size(x=y, begin=[0] * 4, size=[2, 8, 4, 2]),
                sampling_mode="bilinear",
                padding_mode="constant",
                padding_value=1.0,
                coordinates_mode="normalized_minus_one_to_one",
                align_corners=True,
            ),
            "'constant' with 1",
        ),
    ],
    ids=["slice", "pool", "nearest", "resize", "bilinear", "conv", "concat", "resample"],
)
def test_a_form_of_an_op_that_is_not_covered_is_refused(build, reason, tmp_path):
    program = Program(saved_program(build, tmp_path))
    with pytest.raises(Exception, match=f"can't run the op .*{reason}"):
        program(x=torch.zeros(SHAPE), y=torch.zeros(SHAPE))


def saved_program(build: Callable[..., Any], folder, *, half: bool = False) -> Package:
    """Save a program of two fp32 inputs as coremltools builds it, and read it back.

    ``build`` gives one result, or several by name. ``half`` lets coremltools turn every op that it can
    into fp16, as a conversion at that precision does.
    """
    specification = [mb.TensorSpec(shape=SHAPE), mb.TensorSpec(shape=SHAPE)]
    pipeline = coremltools.PassPipeline(HALVING if half else [], "test")

    def output(result, name=None):
        # A bool can't be an output: it leaves as a float.
        if result.dtype.__name__ == "bool":
            result = mb.cast(x=result, dtype="fp32")
        return result if name is None else mb.identity(x=result, name=output_name(name))

    with quiet():

        @mb.program(input_specs=specification, opset_version=coremltools.target.iOS16)
        def program(x, y):
            results = build(x, y)
            if not isinstance(results, dict):
                return output(results)
            return tuple(output(result, name) for name, result in results.items())

        coremltools.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=coremltools.target.iOS16,
            compute_precision=coremltools.precision.FLOAT16 if half else coremltools.precision.FLOAT32,
            pass_pipeline=pipeline,
            skip_model_load=True,
            package_dir=str(folder / "op.mlpackage"),
        )
    return Package.read(folder / "op.mlpackage")


def output_name(case: str) -> str:
    return "case_" + "".join(letter if letter.isalnum() else "_" for letter in case)
