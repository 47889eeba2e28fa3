"""Adam for a sparse grid's table: rows that a step did not touch stay, each column has its rate and its bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nfcore.kernels import Bytes, Floats, in_parts, row_lanes

#: A short memory of squares, as what a voxel sees changes fast; as in Instant-NGP, an epsilon small enough that
#: rarely seen voxels move as far as others.
BETAS, EPSILON = (0.9, 0.99), 1e-15


class RowAdam(torch.optim.Adam):
    """Adam (Kingma and Ba 2015) whose first group is one table; all other parameters are optimised as usual.

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
        super().__init__(groups, betas=BETAS, eps=EPSILON, fused=True)
        self.table = table
        self.factors = table.new_tensor(factors)
        self.lowest, self.highest = (table.new_tensor(bound) for bound in bounds)
        moments = {name: torch.zeros_like(table.data) for name in ("exp_avg", "exp_avg_sq")}
        self.state[table] = {"step": torch.zeros(()), **moments}

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step by the parameters' gradients."""
        gradient = self.table.grad
        if gradient is not None:
            rows = gradient.any(1).nonzero()[:, 0]
            rows = rows[rows > 0]
            rates, correction = self._rates()
            state, slope = self.state[self.table], gradient[rows]
            mean = state["exp_avg"][rows].lerp_(slope, 1 - BETAS[0])
            square = state["exp_avg_sq"][rows].lerp_(slope.square(), 1 - BETAS[1])
            state["exp_avg"][rows], state["exp_avg_sq"][rows] = mean, square
            moved = self.table[rows] - rates * mean / ((square * correction).sqrt() + EPSILON)
            self.table[rows] = moved.clamp(self.lowest, self.highest)
            self.table.grad = None
        super().step(closure)

    @torch.no_grad()
    def step_rows(self, kernels: ModuleType, gradients: Floats, touched: Bytes) -> None:
        """Take one step by the other parameters' gradients and, for the table, by those that kernels summed.

        Args:
            kernels: a module that has ``move_rows`` of ``nfcore.kernels.row_adam``.
            gradients: (threads, rows * c), cleared.
            touched: (threads, rows) where it is not 0, cleared.

        """
        rates, correction = self._rates()
        state, threads, rows = self.state[self.table], *touched.shape
        # Row 0 stands for what is not stored.
        touched[:, 0] = 0
        gradients[:, : self.table.shape[1]] = 0
        row = row_lanes(self.table.shape[1])
        arrays = (
            _flat(self.table), gradients, touched, _flat(state["exp_avg"]), _flat(state["exp_avg_sq"]),
            _flat(rates), _flat(self.lowest), _flat(self.highest),
        )  # fmt: skip
        numbers = [np.float32(number) for number in (*BETAS, correction)]

        def move(part: int) -> None:
            kernels.move_rows(row, rows * part // threads, rows * (part + 1) // threads, *arrays, *numbers)

        in_parts(move, threads)
        super().step()

    def _rates(self) -> tuple[Tensor, float]:
        """Count a step; return each column's rate over 1 - beta1^t, and 1 / (1 - beta2^t)."""
        count: Tensor = self.state[self.table]["step"]
        count += 1
        rate = self.param_groups[0]["lr"] / (1 - BETAS[0] ** count.item())
        return self.factors * rate, 1 / (1 - BETAS[1] ** count.item())


def _flat(tensor: Tensor) -> Floats:
    flat: Floats = tensor.detach().view(-1).numpy()
    return flat
