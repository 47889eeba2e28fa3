"""The Pareto front: points that no other point dominates."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(costs: Sequence[tuple[float, float]]) -> list[int]:
    """Return the indices of the points on the Pareto front of two ``costs``, sorted by the first.

    A point is dominated if another has no more of either cost and less of one. Of equal points the first is on the
    front. A quality is a negative cost.
    """
    front: list[int] = []
    for index in sorted(range(len(costs)), key=lambda index: costs[index]):
        if not front or costs[index][1] < costs[front[-1]][1]:
            front.append(index)
    return front


def quality_pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the front of points (cost, PSNR in dB), cheapest first.

    PSNR is rounded to a hundredth of a dB: smaller differences do not count.
    """
    return pareto_front([(cost, -round(psnr, 2)) for cost, psnr in points])
