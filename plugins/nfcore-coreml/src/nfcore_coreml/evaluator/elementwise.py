"""MIL ops that act on each element.

Definitions: coremltools, ops/defs/*/elementwise_unary.py, elementwise_binary.py and activation.py.
An op's ``epsilon`` is added to the argument, as in the definitions.
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
    """Return ``x``: the result's declared type equals ``dtype``, and decides how it is stored."""
    return x


def clamped_relu(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Return ``x``, times ``alpha`` where it is negative, at most ``beta``."""
    return torch.minimum(torch.where(x >= 0, x, alpha * x), beta)


def clip(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Return ``x`` within [alpha, beta]."""
    return torch.clamp(x, alpha, beta)


def elu(x: Tensor, alpha: Number = 1.0) -> Tensor:
    """Return ``x`` where it is positive, ``alpha * (exp(x) - 1)`` elsewhere."""
    return torch.where(x > 0, x, alpha * torch.expm1(x))


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


def linear_activation(x: Tensor, alpha: Number, beta: Number = 0.0) -> Tensor:
    """Return alpha * x + beta."""
    return alpha * x + beta


def log(x: Tensor, epsilon: Number = 1e-45) -> Tensor:
    """Return log(x + epsilon)."""
    return torch.log(x + epsilon)


def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    """Return ``x`` where it is positive, elsewhere times the ``alpha`` of its channel, (b, c, ...)."""
    return F.prelu(x, alpha)


def rsqrt(x: Tensor, epsilon: Number = 1e-12) -> Tensor:
    """Return 1 / sqrt(x + epsilon)."""
    return torch.rsqrt(x + epsilon)


def scaled_tanh(x: Tensor, alpha: Number = 1.0, beta: Number = 1.0) -> Tensor:
    """Return alpha * tanh(beta * x)."""
    return alpha * torch.tanh(beta * x)


def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return ``a`` where ``cond`` holds, ``b`` elsewhere."""
    return torch.where(cond, a, b)


def sigmoid_hard(x: Tensor, alpha: Number = 0.2, beta: Number = 0.5) -> Tensor:
    """Return alpha * x + beta within [0, 1]."""
    return (alpha * x + beta).clamp(0, 1)


def threshold(x: Tensor, alpha: Tensor) -> Tensor:
    """Return ``x``, at least ``alpha``."""
    return torch.maximum(x, alpha)


def thresholded_relu(x: Tensor, alpha: Number = 1.0) -> Tensor:
    """Return ``x`` where it is ``alpha`` or more, 0 elsewhere."""
    return torch.where(x >= alpha, x, torch.zeros_like(x))


ELEMENTWISE: dict[str, Op] = {
    "abs": _unary(torch.abs),
    "acos": _unary(torch.acos),
    "add": _binary(torch.add),
    "asin": _unary(torch.asin),
    "atan": _unary(torch.atan),
    "atanh": _unary(torch.atanh),
    "cast": cast,
    "ceil": _unary(torch.ceil),
    "clamped_relu": clamped_relu,
    "clip": clip,
    "cos": _unary(torch.cos),
    "cosh": _unary(torch.cosh),
    "elu": elu,
    "equal": _binary(torch.eq),
    "erf": _unary(torch.erf),
    "exp": _unary(torch.exp),
    "exp2": _unary(torch.exp2),
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
    "linear_activation": linear_activation,
    "log": log,
    "logical_and": _binary(torch.logical_and),
    "logical_not": _unary(torch.logical_not),
    "logical_or": _binary(torch.logical_or),
    "logical_xor": _binary(torch.logical_xor),
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "mod": _binary(torch.remainder),
    "mul": _binary(torch.mul),
    "not_equal": _binary(torch.ne),
    "pow": _binary(torch.pow),
    "prelu": prelu,
    "real_div": _binary(torch.div),
    "relu": _unary(torch.relu),
    "relu6": _unary(F.relu6),
    "round": _unary(torch.round),
    "rsqrt": rsqrt,
    "scaled_tanh": scaled_tanh,
    "select": select,
    "sigmoid": _unary(torch.sigmoid),
    "sigmoid_hard": sigmoid_hard,
    "sign": _unary(torch.sign),
    "silu": _unary(F.silu),
    "sin": _unary(torch.sin),
    "sinh": _unary(torch.sinh),
    "softplus": _unary(F.softplus),
    "softsign": _unary(F.softsign),
    "sqrt": _unary(torch.sqrt),
    "square": _unary(torch.square),
    "sub": _binary(torch.sub),
    "tan": _unary(torch.tan),
    "tanh": _unary(torch.tanh),
    "threshold": threshold,
    "thresholded_relu": thresholded_relu,
}
