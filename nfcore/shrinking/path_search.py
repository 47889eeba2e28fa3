"""How far one may go along a path of ever smaller packages: few exports, each where the last ones point."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nfcore.shrinking.bit_allocation import BitAllocation
from nfcore.shrinking.pareto_selection import Measured

#: By how much one measurement may correct the expected error: a single odd image must not send the search away.
_GREATEST_CORRECTION = 8.0


def furthest(
    path: Sequence[BitAllocation],
    measure: Callable[[BitAllocation], Measured],
    expected_loss: Callable[[float], float],
    allowed: float,
    tries: int,
) -> list[Measured]:
    """Export allocations of ``path`` to find the last one that loses no more than ``allowed``; return all of them.

    What one layer's error was measured to be alone is an estimate of what all together cost. So each export that
    was run corrects the estimate, by the ratio of the measured loss to the expected one, and the search continues
    between the furthest that was good and the nearest that was not.

    Args:
        path: ever smaller allocations; the first is known to be good.
        measure: exports and runs one.
        expected_loss: the loss in dB that goes with a mean squared error.
        allowed: greatest loss, dB.
        tries: how many are exported at most.

    """
    found: list[Measured] = []
    good, bad, correction = 0, len(path), 1.0
    while len(found) < tries and good + 1 < bad:
        hopeful = [i for i in range(good + 1, bad) if expected_loss(correction * path[i].error) <= allowed]
        index = max(hopeful, default=good + 1)
        if index + 1 == bad < len(path):  # the estimate saw nothing wrong with what was not good: halve instead
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
