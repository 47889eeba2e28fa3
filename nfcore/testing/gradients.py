"""Gradients against finite differences, in the direction of a random change of each tensor."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from nfcore.testing.contract import require

#: Step of the central difference and share by which the derivative may be off, where the module computes in double
#: precision, and where it insists on single.
_DOUBLE, _SINGLE = (1e-6, 1e-3), (1e-2, 0.1)


def compare_with_differences(module: nn.Module, inputs: tuple[Tensor, ...], *, of_inputs: bool) -> None:
    """Break the sentence that is being tested unless autograd and finite differences agree.

    Each tensor's derivative is taken along a random direction, of a random weighted sum of the outputs.

    Args:
        module: in eval mode; its weights that require gradients are tested.
        inputs: what its ``forward`` takes.
        of_inputs: whether gradients of the inputs are promised too.

    """
    module = copy.deepcopy(module).double()
    inputs = tuple(tensor.double().clone().requires_grad_(of_inputs) for tensor in inputs)
    targets: dict[str, Tensor] = {
        name: weight for name, weight in module.named_parameters() if weight.requires_grad
    }
    if of_inputs:
        targets |= {f"its input {i}": tensor for i, tensor in enumerate(inputs)}
    if not targets:
        return
    generator = torch.Generator().manual_seed(5)
    output = module(*inputs)
    weights = torch.randn(output.shape, generator=generator, dtype=torch.float64)
    step, tolerance = _DOUBLE if output.dtype == torch.float64 else _SINGLE

    loss = (output * weights).sum()
    require(
        loss.requires_grad,
        found="the output has no gradient at all",
        right="no detach(), numpy or torch.no_grad() in forward",
    )
    gradients = torch.autograd.grad(loss, list(targets.values()), allow_unused=True)
    for (name, tensor), gradient in zip(targets.items(), gradients, strict=True):
        direction = torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor.dtype)
        expected = _difference_quotient(module, inputs, weights, tensor, direction, step)
        found = 0.0 if gradient is None else float((gradient * direction).sum())
        scale = max(abs(expected), abs(found))
        # A sum of n values has a rounding error that the quotient divides by the step.
        noise = 1e-6 * max(1.0, abs(float(loss.detach()))) if step == _DOUBLE[0] else 0.05 * scale + 1e-2
        require(
            abs(found - expected) <= tolerance * scale + noise,
            found=f"the gradient of {name} gives {found:.6g}, finite differences give {expected:.6g}",
            right="no detach(), rounding or assignment to .data on the way from it to the output",
        )


@torch.no_grad()
def _difference_quotient(
    module: nn.Module, inputs: tuple[Tensor, ...], weights: Tensor, tensor: Tensor, direction: Tensor, step: float
) -> float:
    values = []
    original = tensor.clone()
    for sign in (1, -1):
        tensor.copy_(original + sign * step * direction)
        values.append(float((module(*inputs) * weights).sum()))
    tensor.copy_(original)
    return (values[0] - values[1]) / (2 * step)
