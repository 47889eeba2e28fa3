"""Stages of one fit that share its budget, its reports and its checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nfcore import Budget, ForwardingReporter, Reporter
from nfcore.io import State


@dataclass(frozen=True)
class Shares:
    """A fit's budget in parts.

    Args:
        field: of the field that voxels start from.
        voxels: of voxels and network.
        network: of the network alone, on rounded voxels.

    """

    field: Budget
    voxels: Budget
    network: Budget

    @classmethod
    def of(cls, budget: Budget, field: float, network: float) -> Shares:
        """Divide ``budget`` by these shares of it.

        >>> shares = Shares.of(Budget(steps=1000, seconds=60), field=0.4, network=0.1)
        >>> shares.field.steps, shares.voxels.seconds, shares.network.steps
        (400, 30.0, 100)
        """
        steps = round(budget.steps * field), round(budget.steps * network)
        counts = (steps[0], budget.steps - sum(steps), steps[1])
        parts = (field, 1 - field - network, network)
        first, second, third = (
            Budget(count, None if budget.seconds is None or part <= 0 else budget.seconds * part, budget.seed)
            for count, part in zip(counts, parts, strict=True)
        )
        return cls(first, second, third)


class StageReporter(ForwardingReporter):
    """Reports one stage of a fit as part of the whole.

    Args:
        reporter: of the whole fit.
        stage: its name, in checkpoints.
        before: steps of the stages before it.
        state: of the fit's last checkpoint, or None.

    Attributes:
        kept: what stays the same through the stage, saved with its state; None until the stage sets it.

    """

    def __init__(self, reporter: Reporter, stage: str, before: int, state: State | None) -> None:
        super().__init__(reporter)
        self.stage, self.before = stage, before
        own = state if state is not None and state["stage"] == stage else None
        self.saved: State | None = None if own is None else own["state"]
        self.kept: State | None = None if own is None else own["kept"]

    def start(self, total: int, unit: str = "step") -> None:
        """Do nothing: the whole fit has announced itself."""

    def step(self, step: int, **scalars: float) -> None:
        """Report the step of the whole fit."""
        super().step(self.before + step, **scalars)

    def restore(self) -> State | None:
        """Return the stage's own state, or None."""
        return self.saved

    def checkpoint(self, step: int, state: Callable[[], State]) -> None:
        """Offer the stage's state as that of the fit."""
        super().checkpoint(self.before + step, lambda: {"stage": self.stage, "state": state(), "kept": self.kept})
