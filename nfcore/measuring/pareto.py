"""The Pareto front: points that no other point dominates."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(costs: Sequence[Sequence[float]]) -> list[int]:
    """Return the indices of the ``costs`` on the Pareto front, sorted by the first cost.

    A point is dominated if another costs no more in every dimension and less in one. Of equal points the first
    is on the front. A quality is a negative cost.
    """
    front = [
        index
        for index, cost in enumerate(costs)
        if not any(
            _dominates(other, cost) or (tuple(other) == tuple(cost) and before < index)
            for before, other in enumerate(costs)
        )
    ]
    return sorted(front, key=lambda index: tuple(costs[index]))


def quality_pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the front of points (cost, PSNR in dB), cheapest first.

    PSNR is rounded to a hundredth of a dB: smaller differences do not count.
    """
    return pareto_front([(cost, -round(psnr, 2)) for cost, psnr in points])


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)
