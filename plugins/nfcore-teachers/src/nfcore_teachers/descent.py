"""How one step of a marched fit is taken: by torch's autograd, or by kernels that do all of it at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore.kernels import in_parts, touched_size, zeros
from nfcore.runtime import eager_optimizer
from nfcore_teachers.fitting import DivergedError
from nfcore_teachers.fused_field import FusedField
from nfcore_teachers.marching import Marcher
from nfcore_teachers.pixels import Pixels
from nfcore_teachers.rendering import Renderer
from nfcore_teachers.row_adam import BETAS, EPSILON, RowAdam

_DIVERGED = "the teacher's loss became {}: lower its learning_rate"


class Descent(Protocol):
    """Takes steps down the squared error of rays."""

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Has the parameters, and the step sizes of the next step."""

    def step(self, pixels: Pixels, jitter: Tensor, generator: torch.Generator) -> tuple[float, int]:
        """Take one step; return the mean squared error before it, and how many samples it took.

        Args:
            pixels: n rays on the field's device, and what they should see.
            jitter: (n,) in [0, 1), places of the first samples in their steps.
            generator: draws what else is random.

        Raises:
            DivergedError: the step would leave weights that are no numbers; it is not taken.

        """

    def occupancy_changed(self) -> None:
        """Take note that other cells are occupied now."""


class Autograd:
    """Torch renders, differentiates and optimises.

    Args:
        field: a ``MarchedField``.
        optimizer: of its parameters.
        render: renders it.
        penalty: gives what is added to the loss, drawn for each step from its generator; None adds nothing.
        alpha_weight: what the squared error of opacities counts in the loss, where photos have alpha.

    """

    def __init__(
        self,
        field: Any,
        optimizer: torch.optim.Optimizer,
        render: Renderer,
        penalty: Callable[[torch.Generator], Tensor] | None = None,
        alpha_weight: float = 0.0,
    ) -> None:
        self.field, self.optimizer, self.render, self.penalty = field, optimizer, render, penalty
        self.alpha_weight = alpha_weight
        self.occupancy_changed()

    def step(self, pixels: Pixels, jitter: Tensor, generator: torch.Generator) -> tuple[float, int]:
        """Take one step; see ``Descent``."""
        seen = self.render(self.field, self.marcher, self.field.domain, pixels.rays, jitter)
        error = F.mse_loss(seen.rgb, pixels.colours)
        if not error.isfinite():
            raise DivergedError(_DIVERGED.format(error.item()))
        if seen.samples:
            loss = error if self.penalty is None else error + self.penalty(generator)
            if self.alpha_weight and pixels.alpha is not None:
                loss = loss + self.alpha_weight * F.mse_loss(seen.opacity, pixels.alpha)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return error.item(), seen.samples

    def occupancy_changed(self) -> None:
        """March through what is occupied now."""
        self.marcher: Marcher = self.field.marcher()


class Fused:
    """Kernels do all of it, on the CPU: see ``nfcore.kernels``.

    Args:
        field: what they know of the field.
        optimizer: of its parameters.
        roughness: cells looked at in a step, and what squared differences between neighbours cost in raw density
            and in values; see ``SparseGrid.roughness``. None: nothing.
        alpha_weight: what the squared error of opacities counts in the loss, where photos have alpha.
        parts: threads, each of which has gradients of its own.

    """

    def __init__(
        self,
        field: FusedField,
        optimizer: RowAdam,
        roughness: tuple[int, float, float] | None,
        alpha_weight: float,
        parts: int,
    ) -> None:
        self.field, self.optimizer, self.roughness, self.alpha_weight = field, optimizer, roughness, alpha_weight
        rows, row = field.table.shape
        self.gradients = zeros((parts, rows * row))
        self.touched = zeros((parts, touched_size(rows)), np.uint8)
        optimizer.use_huge_pages()

    def step(self, pixels: Pixels, jitter: Tensor, generator: torch.Generator) -> tuple[float, int]:
        """Take one step; see ``Descent``."""
        error, samples = self.field.differentiate(pixels, jitter, self.alpha_weight, self.gradients, self.touched)
        if not math.isfinite(error):
            raise DivergedError(_DIVERGED.format(error))
        if samples:
            if self.roughness is not None:
                self._smooth(*self.roughness, generator)
            self.optimizer.step_rows(self.field.kernels, self.gradients, self.touched)
        return error, samples

    def _smooth(self, cells: int, density: float, values: float, generator: torch.Generator) -> None:
        drawn = np.array_split(self.field.grid.draw_cells(cells, generator).int().numpy(), len(self.gradients))
        costs = (np.float32(density / len(drawn)), np.float32(values / len(drawn)))

        def smooth(part: int) -> None:
            self.field.kernels.smooth(
                self.field.record, drawn[part], *costs, self.gradients[part], self.touched[part]
            )

        in_parts(smooth, len(drawn))

    def occupancy_changed(self) -> None:
        """Do nothing: the field's record of cells is the one that was changed."""


def adam(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Return Adam for groups of dense parameters with their first step sizes."""
    return eager_optimizer(torch.optim.Adam)(groups, betas=BETAS, eps=EPSILON, fused=True)
