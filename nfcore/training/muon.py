"""Muon: an optimiser that updates each weight matrix by its orthogonalised momentum."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from nfcore.runtime import eager_optimizer
from nfcore.training.precision import gains_from_bf16

# The quintic iteration of Jordan et al. 2024, and how often: singular values end between 0.7 and 1.2 or so.
_A, _B, _C, _ITERATIONS = 3.4445, -4.7750, 2.0315, 5
# Matrices with a shorter side below this take longer to convert to bf16 than bf16 saves.
_SMALL = 64


@eager_optimizer
class Muon(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024) with the update scale of Liu et al. 2025, section 2.2, so that AdamW's rates fit.

    As ``torch.optim.Muon`` (torch 2.9), but for all matrices of one shape at once: a small student has a dozen of
    48x48, and orthogonalising them one by one took as long as the rest of the step, 15 times as long as together.
    A convolution's weight counts as a matrix (out, in * k * k).

    Args:
        params: weights with two axes or more.
        lr: learning rate; the step's root mean square is about a fifth of it.
        weight_decay: decoupled decay per step and learning rate.
        momentum: coefficient of Nesterov momentum.

    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, weight_decay: float = 0.0, momentum: float = 0.95
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all weights that have a gradient."""
        assert closure is None, "one gradient a step"
        for group in self.param_groups:
            by_shape: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    by_shape[tuple(weight.shape)].append(weight)
            for weights in by_shape.values():
                self._update(weights, group)

    def _update(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        """Update weights of one shape."""
        rate, momentum = group["lr"], group["momentum"]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        averages = [self._momentum(weight) for weight in weights]
        torch._foreach_lerp_(averages, gradients, 1 - momentum)
        ahead = torch._foreach_lerp(gradients, averages, momentum)
        steps = orthogonal(torch.stack([matrix.flatten(1) for matrix in ahead]))
        length = 0.2 * rate * math.sqrt(max(steps.shape[1:]))
        torch._foreach_mul_(weights, 1 - rate * group["weight_decay"])
        torch._foreach_add_(weights, list(steps.view(-1, *weights[0].shape).unbind(0)), alpha=-length)

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        average: Tensor = state["momentum"]
        return average


def orthogonal(matrices: Tensor) -> Tensor:
    """Return roughly U V^T for each matrix U S V^T of (n, rows, columns): the singular values are only near 1.

    Computed in bf16 where that is faster, as in torch; the result has the type of ``matrices``.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    if x.shape[1] >= _SMALL and (x.is_cuda or (x.device.type == "cpu" and gains_from_bf16())):
        x = x.bfloat16()
    x = x / x.flatten(1).norm(dim=1).clamp_min(1e-7)[:, None, None]
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return (x.mT if tall else x).to(matrices.dtype)
