"""Adam for a sparse grid's table: rows that a step did not touch stay, each column has its rate and its bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nfcore.kernels import TOUCHED_AT_ONCE, Bytes, Floats, in_parts, on_huge_pages, row_lanes
from nfcore.runtime import eager_optimizer

#: A short memory of squares, as what a voxel sees changes fast; as in Instant-NGP, an epsilon small enough that
#: rarely seen voxels move as far as others.
BETAS, EPSILON = (0.9, 0.99), 1e-15


@eager_optimizer
class RowAdam(torch.optim.Optimizer):
    """Adam (Kingma and Ba 2015) for one table, of which only some rows take a step, and for other parameters.

    Only rows with a gradient other than 0 take a step: dense steps on millions of rows would take longer than all
    else. After a step, columns are put back within their bounds.

    Args:
        table: (rows, c) the table. Row 0 is a constant and never changes.
        factors: (c,) what the group's step size is multiplied with for each column.
        bounds: lowest and highest value of each column, (c,) each.
        groups: the table's group first, with ``params`` and ``lr`` as for all optimisers.

    """

    def __init__(
        self,
        table: nn.Parameter,
        factors: Sequence[float],
        bounds: tuple[Sequence[float], Sequence[float]],
        groups: list[dict[str, Any]],
    ) -> None:
        super().__init__(groups, {})
        self.table = table
        self.factors = table.new_tensor(factors)
        self.lowest, self.highest = (table.new_tensor(bound) for bound in bounds)
        for group in self.param_groups:
            for parameter in group["params"]:
                moments = {name: torch.zeros_like(parameter.data) for name in ("exp_avg", "exp_avg_sq")}
                self.state[parameter] = {"step": torch.zeros(()), **moments}

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step by the parameters' gradients."""
        gradient = self.table.grad
        if gradient is not None:
            rows = gradient.any(1).nonzero()[:, 0]
            rows = rows[rows > 0]
            state, rate, correction = self._count(self.table, self.param_groups[0]["lr"])
            mean, square = state["exp_avg"][rows], state["exp_avg_sq"][rows]
            moved = self.table[rows] - rate * self.factors * _direction(gradient[rows], mean, square, correction)
            state["exp_avg"][rows], state["exp_avg_sq"][rows] = mean, square
            self.table[rows] = moved.clamp(self.lowest, self.highest)
            self.table.grad = None
        self._step_others()

    @torch.no_grad()
    def step_rows(self, kernels: ModuleType, gradients: Floats, touched: Bytes) -> None:
        """Take one step by the other parameters' gradients and, for the table, by those that kernels summed.

        Args:
            kernels: a module that has ``move_rows`` of ``nfcore.kernels.row_adam``.
            gradients: (threads, rows * c), cleared.
            touched: (threads, n) where it is not 0, cleared; see ``touched_size``.

        """
        state, rate, correction = self._count(self.table, self.param_groups[0]["lr"])
        threads, rows = touched.shape
        # Row 0 stands for what is not stored.
        touched[:, 0] = 0
        gradients[:, : self.table.shape[1]] = 0
        arrays = (
            _flat(self.table), gradients, touched, _flat(state["exp_avg"]), _flat(state["exp_avg_sq"]),
            _flat(rate * self.factors), _flat(self.lowest), _flat(self.highest),
        )  # fmt: skip
        numbers = [np.float32(number) for number in (*BETAS, correction)]
        row, found, chunks = row_lanes(self.table.shape[1]), np.empty(rows, np.int32), rows // TOUCHED_AT_ONCE

        def move(part: int) -> None:
            first, last = (chunks * (part + side) // threads * TOUCHED_AT_ONCE for side in (0, 1))
            kernels.move_rows(row, first, last, *arrays, *numbers, found)

        in_parts(move, threads)
        self._step_others()

    def use_huge_pages(self) -> None:
        """Keep the moments on huge pages, for ``step_rows``; see ``nfcore.kernels.on_huge_pages``."""
        for name in ("exp_avg", "exp_avg_sq"):
            on_huge_pages(self.state[self.table][name].numpy())

    def _step_others(self) -> None:
        for group in self.param_groups[1:]:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state, rate, correction = self._count(parameter, group["lr"])
                    moments = state["exp_avg"], state["exp_avg_sq"]
                    parameter.sub_(_direction(parameter.grad, *moments, correction), alpha=rate)

    def _count(self, parameter: nn.Parameter, rate: float) -> tuple[dict[str, Tensor], float, float]:
        """Count a step; return the state, the rate over 1 - beta1^t, and 1 / (1 - beta2^t)."""
        state: dict[str, Tensor] = self.state[parameter]
        state["step"] += 1
        count = state["step"].item()
        return state, rate / (1 - BETAS[0] ** count), 1 / (1 - BETAS[1] ** count)


def _direction(gradient: Tensor, mean: Tensor, square: Tensor, correction: float) -> Tensor:
    """Update the moments in place; return the mean over the root of the corrected mean square."""
    mean.lerp_(gradient, 1 - BETAS[0])
    square.lerp_(gradient.square(), 1 - BETAS[1])
    return mean / ((square * correction).sqrt() + EPSILON)


def _flat(tensor: Tensor) -> Floats:
    flat: Floats = tensor.detach().view(-1).numpy()
    return flat
