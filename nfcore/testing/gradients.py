"""Gradients compared with finite differences, in a random direction for each tensor."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nfcore.testing.contract import require

#: Steps of the central difference, as fractions of a tensor's size, and the tolerance of a derivative, for modules
#: that compute in double precision, and for those that only support single.
_DOUBLE, _SINGLE = ((1e-5, 1e-6, 1e-7, 1e-8), 1e-3), ((1e-1, 1e-2, 1e-3, 1e-4), 0.1)
#: Rounding errors of a sum of outputs, in units of the last place, accumulated over all layers.
_ULPS = 50.0
#: Perturbation of the weights before the test, as a fraction of their tensor's size.
_PERTURBATION = 0.05


def compare_with_differences(
    module: nn.Module, inputs: tuple[Tensor, ...], *, of_inputs: bool, stops_gradients: bool = False
) -> None:
    """Break the rule under test unless autograd and finite differences agree.

    For each tensor the directional derivative of a random weighted sum of the outputs is compared. The step is
    the one at which the difference quotient changes least: a network of high-frequency sines needs a smaller one
    than a linear layer.

    Args:
        module: in eval mode; its weights that require gradients are tested.
        inputs: the arguments of its ``forward``.
        of_inputs: whether gradients with respect to the inputs are promised too.
        stops_gradients: whether ``detach()`` is intended: its results are then constants in both derivatives.

    """
    module = _perturbed(copy.deepcopy(module)).double()
    inputs = tuple(tensor.double().clone().requires_grad_(of_inputs) for tensor in inputs)
    targets: dict[str, Tensor] = {
        name: weight for name, weight in module.named_parameters() if weight.requires_grad
    }
    if of_inputs:
        targets |= {f"its input {i}": tensor for i, tensor in enumerate(inputs)}
    if not targets:
        return
    generator = torch.Generator().manual_seed(5)
    constants = _Constants() if stops_gradients else None
    with _held(constants):
        output = module(*inputs)
    require(
        constants is None or constants.values,
        found="stops_gradients = True, but forward detaches nothing",
        right="detach() where no gradient may flow, x + (q(x) - x).detach() for a straight-through estimator",
    )
    weights = torch.randn(output.shape, generator=generator, dtype=torch.float64)
    loss = (output * weights).sum()
    require(
        loss.requires_grad,
        found="the output has no gradient at all",
        right="no detach(), numpy or torch.no_grad() in forward",
    )
    gradients = torch.autograd.grad(loss, list(targets.values()), allow_unused=True)

    @torch.no_grad()
    def weighted_sum() -> float:
        with _held(constants):
            return float((module(*inputs) * weights).sum())

    steps, tolerance = _DOUBLE if output.dtype == torch.float64 else _SINGLE
    rounding = _ULPS * torch.finfo(output.dtype).eps * float((output * weights).detach().abs().sum())
    for (name, tensor), gradient in zip(targets.items(), gradients, strict=True):
        direction = torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor.dtype)
        direction *= _size(tensor)
        found = 0.0 if gradient is None else float((gradient * direction).sum())
        expected, step = _difference_quotient(weighted_sum, tensor, direction, steps, 0.1 * tolerance)
        require(
            abs(found - expected) <= tolerance * max(abs(expected), abs(found)) + rounding / step,
            found=f"the gradient of {name} is {found:.6g}, finite differences are {expected:.6g}",
            right="no detach(), rounding or assignment to .data between it and the output; if stopping gradients "
            "is meant: stops_gradients = True in the test class",
        )


@torch.no_grad()
def _difference_quotient(
    value: Any, tensor: Tensor, direction: Tensor, steps: tuple[float, ...], settled: float
) -> tuple[float, float]:
    """Return the central difference quotient at the step where it changes least, and that step.

    Args:
        value: returns the function's value for the present values of ``tensor``.
        tensor: where the derivative is taken; restored afterwards.
        direction: the direction of the derivative.
        steps: in descending order.
        settled: the relative change from one step to the next at which the search stops.

    """
    original = tensor.detach().clone()
    quotients: list[float] = []
    for step in steps:
        values = []
        for sign in (1, -1):
            tensor.copy_(original + sign * step * direction)
            values.append(value())
        quotients.append((values[0] - values[1]) / (2 * step))
        if len(quotients) > 1 and abs(quotients[-1] - quotients[-2]) <= settled * abs(quotients[-1]):
            break
    tensor.copy_(original)
    changes = [abs(after - before) for before, after in pairwise(quotients)]
    best = changes.index(min(changes)) + 1
    return quotients[best], steps[best]


class _Constants(TorchFunctionMode):
    """Records the detached values in the first call of a function, and returns the same in all later calls.

    The derivative of a function with stopped gradients is that of the function with these values constant.
    """

    _STOPS = (torch.Tensor.detach, torch.detach, torch.Tensor.data.__get__)  # type: ignore[attr-defined]

    def __init__(self) -> None:
        super().__init__()
        self.values: list[Tensor] = []
        self._next: int | None = None

    def start(self) -> None:
        """Start the next call of the function."""
        self._next = 0 if self.values else None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func not in self._STOPS:
            return func(*args, **(kwargs or {}))
        if self._next is None:
            self.values.append(func(*args, **(kwargs or {})).clone())
            return self.values[-1].clone()
        self._next += 1
        return self.values[self._next - 1].clone()


@contextmanager
def _held(constants: _Constants | None) -> Iterator[None]:
    if constants is None:
        yield
        return
    constants.start()
    with constants:
        yield


def _perturbed(module: nn.Module) -> nn.Module:
    """Perturb all weights slightly, so that none is where a derivative is discontinuous, such as zero.

    Relative to the tensor's own size: a small change for a layer's bias would swamp SIREN's hidden weights.
    """
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(_PERTURBATION * _size(parameter) * torch.randn_like(parameter))
    return module


def _size(tensor: Tensor) -> float:
    """Return the root mean square of a tensor's values, 1 where all are zero."""
    return float(tensor.detach().double().square().mean().sqrt()) or 1.0
