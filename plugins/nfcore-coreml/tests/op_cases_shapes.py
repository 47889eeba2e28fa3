"""Cases of ops that move values without changing them."""

import numpy as np
import torch
import torch.nn.functional as F
from op_inputs import ORDER, SHAPE, Case, mb

CASES: dict[str, Case] = {
    "concat": ("concat", lambda x, y: mb.concat(values=[x, y, x], axis=-3), lambda x, y: torch.cat([x, y, x], 1)),
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
    "gather": (
        "gather",
        lambda x, y: mb.gather(x=x, indices=[[3, 0], [-1, 3]], axis=-2),
        lambda x, y: torch.stack([x[:, :, [3, 0]], x[:, :, [3, 3]]], 2),
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
    "reshape": ("reshape", lambda x, y: mb.reshape(x=x, shape=[4, -1, 12]), lambda x, y: x.reshape(4, 8, 12)),
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
    "squeeze": (
        "squeeze",
        lambda x, y: mb.squeeze(x=mb.reduce_sum(x=x, axes=[0, 2], keep_dims=True), axes=[0, -2]),
        lambda x, y: x.sum((0, 2)),
    ),
    "stack": ("stack", lambda x, y: mb.stack(values=[x, y], axis=2), lambda x, y: torch.stack([x, y], 2)),
    "tile": ("tile", lambda x, y: mb.tile(x=x, reps=[1, 2, 1, 3]), lambda x, y: x.repeat(1, 2, 1, 3)),
    "transpose": (
        "transpose",
        lambda x, y: mb.transpose(x=x, perm=[0, 2, -1, 1]),
        lambda x, y: x.permute(0, 2, 3, 1),
    ),
    "gather_along_axis": (
        "gather_along_axis",
        lambda x, y: mb.gather_along_axis(x=x, indices=ORDER.numpy().astype("int32"), axis=-1),
        lambda x, y: x.gather(3, ORDER % 6),
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
    "reverse": ("reverse", lambda x, y: mb.reverse(x=x, axes=[1, -1]), lambda x, y: x.flip(1).flip(3)),
}
