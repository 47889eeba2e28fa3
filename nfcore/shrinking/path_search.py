"""Search for the smallest package within the allowed loss, along a sequence of ever smaller ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nfcore.shrinking.bit_allocation import BitAllocation
from nfcore.shrinking.pareto_selection import Measured

#: Maximum factor by which one measurement corrects the expected error: one odd image must not mislead the search.
_GREATEST_CORRECTION = 8.0


def furthest(
    path: Sequence[BitAllocation],
    measure: Callable[[BitAllocation], Measured],
    expected_loss: Callable[[float], float],
    allowed: float,
    tries: int,
) -> list[Measured]:
    """Export allocations of ``path`` to find the last one that loses at most ``allowed``; return the exports.

    The sum of the errors of single layers only estimates their joint error. So each measured export corrects the
    estimate, by the ratio of the measured loss to the expected one, and the search continues between the last
    allocation within the limit and the first one beyond it.

    Args:
        path: ever smaller allocations; the first is known to be within the limit.
        measure: exports and runs one.
        expected_loss: maps a mean squared error to a loss in dB.
        allowed: maximum loss, dB.
        tries: maximum number of exports.

    """
    found: list[Measured] = []
    good, bad, correction = 0, len(path), 1.0
    while len(found) < tries and good + 1 < bad:
        hopeful = [i for i in range(good + 1, bad) if expected_loss(correction * path[i].error) <= allowed]
        index = max(hopeful, default=good + 1)
        if index + 1 == bad < len(path):  # the estimate is too optimistic: bisect instead
            index = (good + bad) // 2
        measured = measure(path[index])
        found.append(measured)
        if measured.score is None or measured.refused or measured.score.loss > allowed:
            bad = index
        else:
            good = index
        expected = expected_loss(path[index].error)
        if measured.score is not None and expected > 0:
            ratio = measured.score.loss / expected
            correction = min(max(ratio, 1 / _GREATEST_CORRECTION), _GREATEST_CORRECTION)
    return found
