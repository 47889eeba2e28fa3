"""What the matches in a database say about photos that could not be posed, and what would help."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: Matches that two photos of the same thing have at least.
_LINK = 15
#: Fewer features in half of the photos: they are blurred, or show smooth surfaces.
_FEW_FEATURES = 150
#: COLMAP's numbers for pairs that a rotation of the camera, or a flat surface, explains.
_HOMOGRAPHIES = (4, 5, 6)
#: Share of such pairs from which on the camera may only have rotated.
_MOSTLY = 0.8
#: COLMAP's pair number is first * this + second.
_PAIR_BASE = 2147483647


@dataclass(frozen=True)
class Matches:
    """The matches of a capture.

    Args:
        features: how many features each photo has.
        links: pairs of photos (indices) that share enough features.
        flat: those of them that a rotation of the camera, or a flat surface, explains.

    """

    features: tuple[int, ...]
    links: tuple[tuple[int, int], ...]
    flat: tuple[tuple[int, int], ...]

    @property
    def are_flat(self) -> bool:
        """Whether nearly all pairs are explained without depth."""
        return len(self.flat) >= _MOSTLY * max(len(self.links), 1)

    @property
    def groups(self) -> list[list[int]]:
        """The photos that are linked with each other, the largest group first."""
        group = list(range(len(self.features)))
        for first, second in self.links:
            old, new = group[second], group[first]
            group = [new if each == old else each for each in group]
        members = [[index for index, each in enumerate(group) if each == name] for name in dict.fromkeys(group)]
        return sorted(members, key=len, reverse=True)


def read_matches(database: Path) -> Matches:
    """Return the matches in COLMAP's ``database``."""
    with closing(sqlite3.connect(database)) as connection:
        features = [rows for (rows,) in connection.execute("SELECT rows FROM keypoints ORDER BY image_id")]
        pairs = connection.execute(
            "SELECT pair_id, config FROM two_view_geometries WHERE rows >= ? ORDER BY pair_id", (_LINK,)
        ).fetchall()
    links = {pair: (pair // _PAIR_BASE - 1, pair % _PAIR_BASE - 1) for pair, _ in pairs}
    flat = tuple(links[pair] for pair, config in pairs if config in _HOMOGRAPHIES)
    return Matches(tuple(features), tuple(links.values()), flat)


def advice(
    matches: Matches, names: Sequence[str], registered: Iterable[int], only_turned: bool = False
) -> list[str]:
    """Return sentences about why photos have no pose, and what would help; empty if all have one.

    Args:
        matches: of all photos.
        names: of the photos.
        registered: indices of the photos with a pose.
        only_turned: whether the camera only rotated.

    >>> advice(Matches((900, 900, 900, 900), ((0, 1), (2, 3)), ()), "abcd", [])
    ["the photos fall into 2 groups that share too few features (2 with 'a', 2 with 'c'): take photos in between"]
    """
    missing = sorted(set(range(len(names))) - set(registered))
    if not missing:
        return []
    found = []
    if np.median([matches.features[index] for index in missing]) < _FEW_FEATURES:
        found.append(
            "the photos have too few features: they are blurred or dark, or show smooth surfaces; take sharp ones "
            "in even light, and put something with texture, such as a newspaper, under the object"
        )
    groups = [group for group in matches.groups if len(group) > 1]
    if not groups:
        found.append("the photos have nothing in common: neighbours must overlap by two thirds")
    elif len(groups) > 1:
        listed = ", ".join(f"{len(group)} with {names[group[0]]!r}" for group in groups[:4])
        found.append(
            f"the photos fall into {len(groups)} groups that share too few features ({listed}): "
            "take photos in between"
        )
    elif only_turned:
        found.append(
            "the camera only turned, or did not move: walk around the scene, a step or more between photos"
        )
    return found or ["neighbouring photos overlap too little: take more in between; two thirds should overlap"]
