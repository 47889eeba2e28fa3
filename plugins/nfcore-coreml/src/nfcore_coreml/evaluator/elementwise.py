"""MIL ops that act on each element.

Definitions: coremltools, ops/defs/*/elementwise_unary.py, elementwise_binary.py and activation.py.
Where an op has an ``epsilon``, it is added to the argument, as the definitions say.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore_coreml.evaluator.parameters import Number, Op


def _unary(compute: Callable[[Tensor], Tensor]) -> Op:
    return lambda x: compute(x)


def _binary(compute: Callable[[Tensor, Tensor], Tensor]) -> Op:
    return lambda x, y: compute(x, y)


def cast(x: Tensor, dtype: str) -> Tensor:
    """Return ``x``: the result's declared type says the same as ``dtype``, and decides how it is held."""
    return x


def clip(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Return ``x`` within [alpha, beta]."""
    return torch.clamp(x, alpha, beta)


def gelu(x: Tensor, mode: str = "EXACT") -> Tensor:
    """Return GELU, exact or by one of MIL's two approximations."""
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    return F.gelu(x, approximate="tanh" if mode == "TANH_APPROXIMATION" else "none")


def inverse(x: Tensor, epsilon: Number = 1e-4) -> Tensor:
    """Return 1 / (x + epsilon)."""
    return 1 / (x + epsilon)


def leaky_relu(x: Tensor, alpha: Number = 0.01) -> Tensor:
    """Return ``x`` where it is positive, ``alpha * x`` elsewhere."""
    return torch.where(x >= 0, x, alpha * x)


def log(x: Tensor, epsilon: Number = 1e-45) -> Tensor:
    """Return log(x + epsilon)."""
    return torch.log(x + epsilon)


def rsqrt(x: Tensor, epsilon: Number = 1e-12) -> Tensor:
    """Return 1 / sqrt(x + epsilon)."""
    return torch.rsqrt(x + epsilon)


def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return ``a`` where ``cond`` holds, ``b`` elsewhere."""
    return torch.where(cond, a, b)


ELEMENTWISE: dict[str, Op] = {
    "abs": _unary(torch.abs),
    "add": _binary(torch.add),
    "cast": cast,
    "clip": clip,
    "cos": _unary(torch.cos),
    "equal": _binary(torch.eq),
    "exp": _unary(torch.exp),
    "floor": _unary(torch.floor),
    "floor_div": _binary(torch.floor_divide),
    "gelu": gelu,
    "greater": _binary(torch.gt),
    "greater_equal": _binary(torch.ge),
    "identity": _unary(torch.clone),
    "inverse": inverse,
    "leaky_relu": leaky_relu,
    "less": _binary(torch.lt),
    "less_equal": _binary(torch.le),
    "log": log,
    "logical_and": _binary(torch.logical_and),
    "logical_not": _unary(torch.logical_not),
    "logical_or": _binary(torch.logical_or),
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "mul": _binary(torch.mul),
    "not_equal": _binary(torch.ne),
    "pow": _binary(torch.pow),
    "real_div": _binary(torch.div),
    "relu": _unary(torch.relu),
    "rsqrt": rsqrt,
    "select": select,
    "sigmoid": _unary(torch.sigmoid),
    "silu": _unary(F.silu),
    "sin": _unary(torch.sin),
    "softplus": _unary(F.softplus),
    "sqrt": _unary(torch.sqrt),
    "square": _unary(torch.square),
    "sub": _binary(torch.sub),
    "tanh": _unary(torch.tanh),
}
