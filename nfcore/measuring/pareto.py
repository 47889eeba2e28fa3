"""The Pareto front: what no other beats in every respect."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(costs: Sequence[Sequence[float]]) -> list[int]:
    """Return the indices of those ``costs`` that are on the front, the one of least first cost first.

    A point is off the front if another costs no more in every respect and less in one. Of equal points the
    first is on it. A quality is a cost with its sign turned.
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

    PSNR counts to a hundredth of a dB: by less, nothing is better.
    """
    return pareto_front([(cost, -round(psnr, 2)) for cost, psnr in points])


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)
