"""Scenes that look alike from several sides: photos of different sides match, and their poses fall together.

A can whose label is on it twice is one such scene: the photos of a whole round end up on half of one, and two
backgrounds lie in one place. Geometry alone can't tell such matches from right ones (Roberts, Sinha, Szeliski and
Steedly, Structure from Motion for Scenes with Large Duplicate Structures, CVPR 2011). The order of the photos can:
who walks around a scene does not jump to its other side from one photo to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pycolmap

from nfcore_pose.database import matched_pairs
from nfcore_pose.job import DATABASE, Job
from nfcore_pose.mapping import Report, largest_model, registered
from nfcore_pose.pairs import Pair

#: Angle in degrees between the rotation that two photos show and that of their poses, from which on one is wrong.
#: Right pairs with little parallax reach 40, sides that are mistaken for each other differ by 72 and more.
_CONTRADICTION = 60.0
#: Matches of two photos of the same thing; fewer say little about their rotation.
_STRONG = 50
#: Photos that are at most so many apart in order show the same side; the second is tried if the first is too many.
_REACHES = (8, 3)


def told_apart(model: pycolmap.Reconstruction, folder: Path, job: Job, report: Report) -> pycolmap.Reconstruction:
    """Return ``model``, or one that does not set neighbours apart, if only leaving out matches gives one.

    The photos are mapped by the matches of neighbours alone. These poses tell which other matches contradict them;
    without those, all are mapped once more.
    """
    database = folder / DATABASE
    if not torn_apart(model, database):
        return model
    for reach in _REACHES:
        far = [pair for pair in matched_pairs(database) if pair[1] - pair[0] > reach]
        walked = largest_model(folder, job, report, "mapping neighbours", without=far)
        if walked is None or len(registered(walked)) < len(registered(model)) or torn_apart(walked, database):
            continue
        wrong = contradicted(walked, database, far)
        closed = largest_model(folder, job, report, "mapping again", without=wrong)
        if closed is None or len(registered(closed)) < len(registered(walked)) or torn_apart(closed, database):
            return walked
        return closed
    return model


def torn_apart(model: pycolmap.Reconstruction, database: Path) -> list[Pair]:
    """Return neighbours in order that match well, and whose poses contradict their matches."""
    neighbours = [pair for pair in matched_pairs(database, _STRONG) if pair[1] - pair[0] == 1]
    return contradicted(model, database, neighbours)


def advice_on(torn: Sequence[Pair], names: Sequence[str]) -> list[str]:
    """Return a sentence about photos that match and are posed apart all the same; none if there are none.

    >>> advice_on([(0, 1)], ["a.jpg", "b.jpg"])[0].partition(": ")[0]
    "'a.jpg' and 'b.jpg' match, but are posed as if from different sides"
    """
    if not torn:
        return []
    first, second = (names[index] for index in torn[0])
    more = f", and {len(torn) - 1} more pairs" if len(torn) > 1 else ""
    return [
        f"{first!r} and {second!r} match, but are posed as if from different sides{more}: the scene looks alike "
        "from several sides; number the photos in the order in which they were taken, or film it"
    ]


def contradicted(model: pycolmap.Reconstruction, database: Path, pairs: Iterable[Pair]) -> list[Pair]:
    """Return those of ``pairs`` whose matches show another rotation than the poses of ``model``."""
    posed = registered(model)
    found = []
    with pycolmap.Database.open(database) as opened:
        for pair in pairs:
            if posed.issuperset(pair):
                rotations = [model.images[index + 1].cam_from_world().rotation for index in pair]
                posed_apart = rotations[1] * rotations[0].inverse()
                shown = _shown_rotation(opened, model, pair)
                if shown is not None and np.degrees(posed_apart.angle_to(shown)) > _CONTRADICTION:
                    found.append(pair)
    return found


def _shown_rotation(
    database: pycolmap.Database, model: pycolmap.Reconstruction, pair: Pair
) -> pycolmap.Rotation3d | None:
    """Return the rotation from the first to the second photo by their matches alone, or None if they show none."""
    numbers = [index + 1 for index in pair]
    geometry = database.read_two_view_geometry(*numbers)
    cameras = [model.cameras[model.images[number].camera_id] for number in numbers]
    points = [np.asarray(database.read_keypoints(number))[:, :2] for number in numbers]
    pycolmap.estimate_two_view_geometry_pose(cameras[0], points[0], cameras[1], points[1], geometry)
    return None if geometry.cam2_from_cam1 is None else geometry.cam2_from_cam1.rotation
