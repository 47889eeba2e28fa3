"""The smallest package within all limits: the search along a path of bit allocations, and the choice."""

from __future__ import annotations

import pytest

from nfcore import NfcoreError
from nfcore.config.schema import Choice
from nfcore.shrinking.bit_allocation import BitAllocation
from nfcore.shrinking.pareto_selection import Limits, Measured, smallest
from nfcore.shrinking.path_search import furthest
from nfcore.shrinking.quality import Score


def measured(size: int, loss: float, **more: object) -> Measured:
    """A package of this size and this loss."""
    return Measured(Choice(name="packed"), f"{size}", size, Score(30 - loss, loss, 50.0, 0.01), **more)


PATH = [BitAllocation(1e-5 * index, {"layer": index}) for index in range(40)]


@pytest.mark.parametrize("truth", [0.25, 1.0, 3.0])
def test_the_search_finds_the_end_of_what_is_allowed_though_the_estimate_is_wrong(truth):
    """The loss is ``truth`` times what is expected; the last allocation that loses at most 0.1 is to be found."""
    found = furthest(
        PATH,
        lambda allocation: measured(100 - allocation.bits["layer"], 1e3 * truth * allocation.error),
        lambda error: 1e3 * error,
        allowed=0.1,
        tries=6,
    )
    last = max(index for index, allocation in enumerate(PATH) if 1e3 * truth * allocation.error <= 0.1)
    assert min(one.bytes for one in found if one.score.loss <= 0.1) == 100 - last
    assert len(found) <= 6


def test_the_search_turns_back_from_what_is_beyond_its_tolerance():
    def measure(allocation: BitAllocation) -> Measured:
        failing = allocation.bits["layer"] > 20
        return measured(100 - allocation.bits["layer"], 0.0, refused="beyond its tolerance" if failing else None)

    found = furthest(PATH, measure, lambda error: 1e3 * error, allowed=1.0, tries=6)
    assert min(one.bytes for one in found if not one.refused) in range(80, 84)


def test_a_search_stops_after_its_tries_and_at_the_end_of_the_path():
    asked = []

    def measure(allocation: BitAllocation) -> Measured:
        asked.append(allocation)
        return measured(1, 0.0)

    furthest(PATH, measure, lambda error: 1e3 * error, allowed=1.0, tries=4)
    assert asked == [PATH[-1]]
    assert furthest(PATH[:1], measure, lambda error: error, allowed=1.0, tries=4) == []


def test_the_smallest_package_within_all_limits_is_chosen():
    packages = [
        measured(8, 0.0, seconds=0.01),
        measured(5, 0.04, seconds=0.02),
        measured(4, 0.04, seconds=0.5),
        measured(3, 0.06, seconds=0.01),
        measured(2, 0.0, refused="beyond its tolerance"),
        Measured(Choice(name="packed"), "unseen", 1, refused="it can't be run here"),
    ]
    assert smallest(packages, Limits(0.05)).bytes == 4
    assert smallest(packages, Limits(0.05, seconds=0.1)).bytes == 5
    assert smallest(packages, Limits(0.05, bytes=5)).bytes == 4
    assert smallest(packages, Limits(0.0)).bytes == 8
    assert smallest(packages, Limits(0.1)).bytes == 3


def test_of_equally_small_packages_the_one_that_loses_least_is_chosen():
    assert smallest([measured(4, 0.04), measured(4, 0.01), measured(4, 0.02)], Limits(0.05)).score.loss == 0.01


def test_a_time_that_is_not_known_is_within_no_limit():
    with pytest.raises(NfcoreError):
        smallest([measured(4, 0.0)], Limits(0.05, seconds=1.0))


def test_where_nothing_is_within_the_limits_it_says_what_the_nearest_lack():
    with pytest.raises(NfcoreError) as error:
        smallest([measured(8_000_000, 0.01), measured(4_000_000, 0.3)], Limits(0.05, bytes=5_000_000))
    said = str(error.value)
    assert "loses at most 0.05 dB and has at most 5 MB" in said
    assert "the smallest, packed, 4000000, has 4 MB and loses 0.300 dB" in said
    assert "the best, packed, 8000000, has 8 MB and loses 0.010 dB" in said


def test_where_nothing_was_run_it_says_why():
    with pytest.raises(NfcoreError, match="it takes a telephone"):
        smallest([Measured(Choice(name="packed"), "x", 3, refused="it takes a telephone")], Limits(0.05))
