"""The MIL ops that run each time: one small function for each, with the op's own name and parameters.

Source of names, parameters and defaults: coremltools, converters/mil/mil/ops/defs. Parameters come as tensors
(a mode as a string); the defaults of optional ones are those of the definition. Results are exact in float32; whoever
calls rounds them to the declared type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

import nfcore

Op: TypeAlias = Callable[..., Tensor | Sequence[Tensor]]
#: A vector parameter: a tensor from the program, or a default.
Vector: TypeAlias = Tensor | Sequence[int]

OPS: dict[str, Op] = {}


def op(function: Op) -> Op:
    """Enter ``function`` into the table of ops under its name (``select_`` as ``select``)."""
    OPS[function.__name__.rstrip("_")] = function
    return function


# -- elementwise -----------------------------------------------------------------------------------------


def _unary(compute: Callable[[Tensor], Tensor]) -> Op:
    return lambda x: compute(x)


def _binary(compute: Callable[[Tensor, Tensor], Tensor]) -> Op:
    return lambda x, y: compute(x, y)


OPS |= {
    "abs": _unary(torch.abs),
    "cos": _unary(torch.cos),
    "exp": _unary(torch.exp),
    "floor": _unary(torch.floor),
    "identity": _unary(torch.clone),
    "logical_not": _unary(torch.logical_not),
    "relu": _unary(torch.relu),
    "sigmoid": _unary(torch.sigmoid),
    "silu": _unary(F.silu),
    "sin": _unary(torch.sin),
    "softplus": _unary(F.softplus),
    "sqrt": _unary(torch.sqrt),
    "square": _unary(torch.square),
    "tanh": _unary(torch.tanh),
    "add": _binary(torch.add),
    "equal": _binary(torch.eq),
    "floor_div": _binary(torch.floor_divide),
    "greater": _binary(torch.gt),
    "greater_equal": _binary(torch.ge),
    "less": _binary(torch.lt),
    "less_equal": _binary(torch.le),
    "logical_and": _binary(torch.logical_and),
    "logical_or": _binary(torch.logical_or),
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "mul": _binary(torch.mul),
    "not_equal": _binary(torch.ne),
    "pow": _binary(torch.pow),
    "real_div": _binary(torch.div),
    "sub": _binary(torch.sub),
}


@op
def cast(x: Tensor, dtype: str) -> Tensor:
    return x  # the declared type of the result says the same as dtype, and decides how it is held


@op
def clip(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    return torch.clamp(x, alpha, beta)


@op
def gelu(x: Tensor, mode: str = "EXACT") -> Tensor:
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    return F.gelu(x, approximate="tanh" if mode == "TANH_APPROXIMATION" else "none")


@op
def inverse(x: Tensor, epsilon: float | Tensor = 1e-4) -> Tensor:
    return 1 / (x + epsilon)


@op
def leaky_relu(x: Tensor, alpha: float | Tensor = 0.01) -> Tensor:
    return torch.where(x >= 0, x, alpha * x)


@op
def log(x: Tensor, epsilon: float | Tensor = 1e-45) -> Tensor:
    return torch.log(x + epsilon)


@op
def rsqrt(x: Tensor, epsilon: float | Tensor = 1e-12) -> Tensor:
    return torch.rsqrt(x + epsilon)


@op
def select_(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(cond.bool(), a, b)


# -- along axes ------------------------------------------------------------------------------------------


def _reduction(compute: Callable[..., Tensor]) -> Op:
    def reduce(x: Tensor, axes: Vector | None = None, keep_dims: bool | Tensor = False) -> Tensor:
        over = list(range(x.dim())) if axes is None else _ints(axes)
        return compute(x, dim=over, keepdim=bool(keep_dims))

    return reduce


OPS |= {
    "reduce_max": _reduction(torch.amax),
    "reduce_mean": _reduction(torch.mean),
    "reduce_min": _reduction(torch.amin),
    "reduce_sum": _reduction(torch.sum),
}


@op
def cumsum(
    x: Tensor, axis: int | Tensor = 0, exclusive: bool | Tensor = False, reverse: bool | Tensor = False
) -> Tensor:
    along = int(axis)
    ordered = x.flip(along) if reverse else x
    total = ordered.cumsum(along)
    if exclusive:
        total = total - ordered
    return total.flip(along) if reverse else total


@op
def softmax(x: Tensor, axis: int | Tensor = -1) -> Tensor:
    return torch.softmax(x, int(axis))


# -- shapes ----------------------------------------------------------------------------------------------


@op
def concat(values: Sequence[Tensor], axis: Tensor, interleave: bool | Tensor = False) -> Tensor:
    if interleave:
        raise nfcore.UserError("interleaved concat is not known")
    return torch.cat(list(values), int(axis))


@op
def expand_dims(x: Tensor, axes: Vector) -> Tensor:
    rank = x.dim() + len(axes)
    for axis in sorted(a % rank for a in _ints(axes)):
        x = x.unsqueeze(axis)
    return x


@op
def fill(shape: Vector, value: float | Tensor = 0.0) -> Tensor:
    return torch.as_tensor(value).expand(_ints(shape)).clone()


@op
def fill_like(ref_tensor: Tensor, value: float | Tensor = 0.0) -> Tensor:
    return torch.as_tensor(value).expand(ref_tensor.shape).clone()


@op
def gather(
    x: Tensor,
    indices: Tensor,
    axis: int | Tensor = 0,
    batch_dims: int | Tensor = 0,
    validate_indices: bool | Tensor = False,
) -> Tensor:
    if int(batch_dims):
        raise nfcore.UserError("gather with batch dimensions is not known")
    return x[(slice(None),) * (int(axis) % x.dim()) + (indices,)]


@op
def pad(x: Tensor, pad: Vector, mode: str = "constant", constant_val: float | Tensor = 0.0) -> Tensor:
    if mode != "constant":
        raise nfcore.UserError(f"pad of mode {mode!r} is not known")
    return F.pad(x, _torch_pads(_ints(pad)), value=float(constant_val))


@op
def pixel_shuffle(x: Tensor, upscale_factor: Tensor) -> Tensor:
    return F.pixel_shuffle(x, int(upscale_factor))


@op
def reshape(x: Tensor, shape: Vector) -> Tensor:
    return x.reshape(_ints(shape))


@op
def slice_by_index(
    x: Tensor,
    begin: Vector,
    end: Vector,
    stride: Vector | None = None,
    begin_mask: Vector | None = None,
    end_mask: Vector | None = None,
    squeeze_mask: Vector | None = None,
) -> Tensor:
    starts, ends = _ints(begin), _ints(end)
    steps = [1] * x.dim() if stride is None else _ints(stride)
    if any(step < 1 for step in steps):
        raise nfcore.UserError("slices with a negative stride are not known")
    from_first, to_last, single = (
        [False] * x.dim() if mask is None else [bool(m) for m in mask] for mask in (begin_mask, end_mask, squeeze_mask)
    )
    index: list[int | slice] = []
    for i in range(x.dim()):
        if single[i]:
            index.append(starts[i])
        else:
            index.append(slice(None if from_first[i] else starts[i], None if to_last[i] else ends[i], steps[i]))
    return x[tuple(index)]


@op
def slice_by_size(x: Tensor, begin: Vector, size: Vector) -> Tensor:
    starts = _ints(begin)
    ends = [None if n == -1 else start + n for start, n in zip(starts, _ints(size), strict=True)]
    return x[tuple(slice(start, end) for start, end in zip(starts, ends, strict=True))]


@op
def split(
    x: Tensor, axis: Tensor, num_splits: Tensor | None = None, split_sizes: Vector | None = None
) -> Sequence[Tensor]:
    if split_sizes is not None:
        return x.split(_ints(split_sizes), int(axis))
    if num_splits is None:
        raise nfcore.UserError("split needs num_splits or split_sizes")
    return x.split(x.shape[int(axis)] // int(num_splits), int(axis))


@op
def squeeze(x: Tensor, axes: Vector | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(_ints(axes)))


@op
def stack(values: Sequence[Tensor], axis: Tensor) -> Tensor:
    return torch.stack(list(values), int(axis))


@op
def tile(x: Tensor, reps: Vector) -> Tensor:
    return x.repeat(_ints(reps))


@op
def transpose(x: Tensor, perm: Vector) -> Tensor:
    return x.permute(_ints(perm))


# -- weights ---------------------------------------------------------------------------------------------

_CONV = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}
_CONV_TRANSPOSE = {3: F.conv_transpose1d, 4: F.conv_transpose2d, 5: F.conv_transpose3d}


@op
def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Vector | None = None,
    pad_type: str = "valid",
    pad: Vector | None = None,
    dilations: Vector | None = None,
    groups: int | Tensor = 1,
) -> Tensor:
    rank = x.dim() - 2
    padded = F.pad(x, _torch_pads(_conv_pads(pad_type, pad, rank)))
    return _CONV[x.dim()](padded, weight, bias, _ints(strides or [1] * rank) if strides is None else _ints(strides),
                          0, [1] * rank if dilations is None else _ints(dilations), int(groups))


@op
def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    pad: Vector | None = None,
    output_shape: Vector | None = None,
    pad_type: str = "valid",
    strides: Vector | None = None,
    dilations: Vector | None = None,
    groups: int | Tensor = 1,
) -> Tensor:
    pass


@op
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.linear(x, weight, bias)


@op
def matmul(
    x: Tensor, y: Tensor, transpose_x: bool | Tensor = False, transpose_y: bool | Tensor = False
) -> Tensor:
    return (x.mT if transpose_x else x) @ (y.mT if transpose_y else y)
