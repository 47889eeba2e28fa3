"""MIL ops that move elements or run along axes.

Definitions: coremltools, ops/defs/*/tensor_operation.py, tensor_transformation.py, scatter_gather.py and
reduction.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore_coreml.evaluator.parameters import Flag, Number, Op, Vector, ints, torch_pads


def concat(values: Sequence[Tensor], axis: Tensor, interleave: Flag = False) -> Tensor:
    """Return the tensors concatenated along ``axis``; scalars count as vectors."""
    if interleave:
        raise NotImplementedError("interleaving is not supported")
    return torch.cat([torch.atleast_1d(value) for value in values], int(axis))


def crop(x: Tensor, crop_height: Vector, crop_width: Vector) -> Tensor:
    """Return (b, c, h, w) without the given numbers of rows and columns at either side."""
    return F.pad(x, torch_pads([-number for number in (*ints(crop_height), *ints(crop_width))]))


def cumsum(x: Tensor, axis: Number = 0, exclusive: Flag = False, reverse: Flag = False) -> Tensor:
    """Return the running sum; ``exclusive`` leaves out the element itself, ``reverse`` runs from the end."""
    along = int(axis)
    ordered = x.flip(along) if reverse else x
    total = ordered.cumsum(along)
    if exclusive:
        total = total - ordered
    return total.flip(along) if reverse else total


def expand_dims(x: Tensor, axes: Vector) -> Tensor:
    """Return ``x`` with new axes of size 1 at these places of the result."""
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in ints(axes)):
        x = x.unsqueeze(axis)
    return x


def fill(shape: Vector, value: Number = 0.0) -> Tensor:
    """Return a tensor of one value."""
    return torch.as_tensor(value).expand(ints(shape))


def fill_like(ref_tensor: Tensor, value: Number = 0.0) -> Tensor:
    """Return a tensor of one value, in the shape of another tensor."""
    return torch.as_tensor(value).expand(ref_tensor.shape)


def gather(
    x: Tensor, indices: Tensor, axis: Number = 0, batch_dims: Number = 0, validate_indices: Flag = False
) -> Tensor:
    """Return the entries of ``x`` at ``indices`` along ``axis``, which the axes of ``indices`` replace."""
    if int(batch_dims):
        raise NotImplementedError("batch dimensions are not supported")
    return x[(slice(None),) * (int(axis) % x.dim()) + (indices,)]


def gather_along_axis(x: Tensor, indices: Tensor, axis: Number = 0, validate_indices: Flag = False) -> Tensor:
    """Return the entries of ``x`` along ``axis`` at ``indices``, which have the rank of ``x``."""
    along = int(axis)
    return x.take_along_dim(torch.where(indices < 0, indices + x.shape[along], indices), along)


def pad(x: Tensor, pad: Vector, mode: str = "constant", constant_val: Number = 0.0) -> Tensor:
    """Return ``x`` padded along its last axes: by a constant, its reflection, or its border values."""
    borders = torch_pads(ints(pad))
    if mode == "constant":
        return F.pad(x, borders, value=float(constant_val))
    if mode not in ("reflect", "replicate"):
        raise NotImplementedError(f"the mode {mode!r} is not supported")
    while len(borders) > 2 and borders[-2:] == [0, 0]:  # torch requires as few pairs as possible
        borders = borders[:-2]
    return F.pad(x, borders, mode)


def pixel_shuffle(x: Tensor, upscale_factor: Tensor) -> Tensor:
    """Return (b, c, h * r, w * r) for (b, c * r * r, h, w)."""
    return F.pixel_shuffle(x, int(upscale_factor))


def pixel_unshuffle(x: Tensor, downscale_factor: Tensor) -> Tensor:
    """Return (b, c * r * r, h, w) for (b, c, h * r, w * r)."""
    return F.pixel_unshuffle(x, int(downscale_factor))


def reshape(x: Tensor, shape: Vector) -> Tensor:
    """Return the same elements, row-major, in another shape; -1 is inferred."""
    return x.reshape(ints(shape))


def reverse(x: Tensor, axes: Vector | None = None) -> Tensor:
    """Return ``x`` reversed along these axes, or along all."""
    return x.flip(list(range(x.dim())) if axes is None else ints(axes))


def shape(x: Tensor) -> Tensor:
    """Return the sizes of the axes of ``x``."""
    return torch.tensor(x.shape)


def slice_by_index(
    x: Tensor,
    begin: Vector,
    end: Vector,
    stride: Vector | None = None,
    begin_mask: Vector | None = None,
    end_mask: Vector | None = None,
    squeeze_mask: Vector | None = None,
) -> Tensor:
    """Return ``x[begin:end:stride]``; masks remove the limit of an axis, or select its entry at ``begin``."""
    none = [0] * x.dim()
    strides = [1] * x.dim() if stride is None else ints(stride)
    if min(strides, default=1) < 1:
        raise NotImplementedError("negative strides are not supported")
    unbounded_begin, unbounded_end, squeezed = (
        none if mask is None else ints(mask) for mask in (begin_mask, end_mask, squeeze_mask)
    )
    index: list[int | slice] = []
    for axis, (first, last) in enumerate(zip(ints(begin), ints(end), strict=True)):
        if squeezed[axis]:
            index.append(first)
        else:
            start, stop = None if unbounded_begin[axis] else first, None if unbounded_end[axis] else last
            index.append(slice(start, stop, strides[axis]))
    return x[tuple(index)]


def slice_by_size(x: Tensor, begin: Vector, size: Vector) -> Tensor:
    """Return ``size`` elements from ``begin`` along each axis; a size of -1 means all the rest."""
    index = []
    for first, count in zip(ints(begin), ints(size), strict=True):
        index.append(slice(first, None if count == -1 else first + count))
    return x[tuple(index)]


def softmax(x: Tensor, axis: Number = -1) -> Tensor:
    """Return the softmax along ``axis``."""
    return torch.softmax(x, int(axis))


def split(
    x: Tensor, axis: Tensor, num_splits: Tensor | None = None, split_sizes: Vector | None = None
) -> Sequence[Tensor]:
    """Return parts of the given sizes, or ``num_splits`` equal ones; MIL requires one of the two."""
    if split_sizes is not None:
        return torch.split(x, ints(split_sizes), int(axis))
    if num_splits is None:
        raise ValueError("neither num_splits nor split_sizes is given")
    return torch.split(x, x.shape[int(axis)] // int(num_splits), int(axis))


def squeeze(x: Tensor, axes: Vector | None = None) -> Tensor:
    """Return ``x`` without these axes of size 1, or without all of them."""
    return x.squeeze() if axes is None else x.squeeze(tuple(ints(axes)))


def stack(values: Sequence[Tensor], axis: Tensor) -> Tensor:
    """Return the tensors stacked along a new axis."""
    return torch.stack(list(values), int(axis))


def tile(x: Tensor, reps: Vector) -> Tensor:
    """Return ``x`` tiled along each axis."""
    return x.repeat(ints(reps))


def transpose(x: Tensor, perm: Vector) -> Tensor:
    """Return ``x`` with its axes in another order."""
    return x.permute(ints(perm))


def _reduction(compute: Callable[..., Tensor]) -> Op:
    def reduce(x: Tensor, axes: Vector | None = None, keep_dims: Flag = False) -> Tensor:
        over = list(range(x.dim())) if axes is None else ints(axes)
        return compute(x, dim=over, keepdim=bool(keep_dims))

    return reduce


def _choice(compute: Callable[..., Tensor]) -> Op:
    return lambda x, axis=-1, keep_dims=False: compute(x, int(axis), keepdim=bool(keep_dims))


def _product(x: Tensor, dim: list[int], keepdim: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in dim), reverse=True):
        x = x.prod(axis, keepdim=keepdim)
    return x


SHAPES: dict[str, Op] = {
    "concat": concat,
    "crop": crop,
    "cumsum": cumsum,
    "expand_dims": expand_dims,
    "fill": fill,
    "fill_like": fill_like,
    "gather": gather,
    "gather_along_axis": gather_along_axis,
    "pad": pad,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "reduce_argmax": _choice(torch.argmax),
    "reduce_argmin": _choice(torch.argmin),
    "reduce_l1_norm": _reduction(functools.partial(torch.linalg.vector_norm, ord=1)),
    "reduce_l2_norm": _reduction(torch.linalg.vector_norm),
    "reduce_log_sum_exp": _reduction(torch.logsumexp),
    "reduce_max": _reduction(torch.amax),
    "reduce_mean": _reduction(torch.mean),
    "reduce_min": _reduction(torch.amin),
    "reduce_prod": _reduction(_product),
    "reduce_sum": _reduction(torch.sum),
    "reduce_sum_square": _reduction(lambda x, **over: x.square().sum(**over)),
    "reshape": reshape,
    "reverse": reverse,
    "shape": shape,
    "slice_by_index": slice_by_index,
    "slice_by_size": slice_by_size,
    "softmax": softmax,
    "split": split,
    "squeeze": squeeze,
    "stack": stack,
    "tile": tile,
    "transpose": transpose,
}
