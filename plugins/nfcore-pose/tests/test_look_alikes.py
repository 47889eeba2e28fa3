"""Scenes that look alike from several sides."""

from __future__ import annotations

import itertools

import numpy as np
import pycolmap
import pytest
import two_sided_can

from nfcore_pose.job import DATABASE
from nfcore_pose.look_alikes import advice_on, told_apart, torn_apart
from nfcore_pose.mapping import largest_model


def step_angles(model) -> np.ndarray:
    """The angles in degrees between neighbours in order, as posed."""
    return between_neighbours(
        [model.images[number].cam_from_world().rotation for number in sorted(model.reg_image_ids())]
    )


def between_neighbours(rotations) -> np.ndarray:
    return np.degrees([first.angle_to(second) for first, second in itertools.pairwise(rotations)])


@pytest.mark.slow
def test_photos_of_a_whole_round_are_not_posed_on_half_of_one(tmp_path):
    job = two_sided_can.save(tmp_path)
    stages = []
    folded = largest_model(tmp_path, job, lambda event: None)
    assert torn_apart(folded, tmp_path / DATABASE)  # or there is nothing to mend
    mended = told_apart(folded, tmp_path, job, lambda event: stages.append(event.stage))
    assert mended.num_reg_images() == two_sided_can.PHOTOS
    truth = [pycolmap.Rotation3d(pose[:, :3]) for pose in two_sided_can.poses()]
    assert step_angles(mended) == pytest.approx(between_neighbours(truth), abs=0.5)
    assert list(dict.fromkeys(stages)) == ["mapping neighbours", "mapping again"]
    assert told_apart(mended, tmp_path, job, pytest.fail) is mended


def test_photos_that_match_and_are_posed_apart_are_named():
    (found,) = advice_on([(0, 1), (4, 5)], [f"{index}.jpg" for index in range(6)])
    assert "'0.jpg' and '1.jpg'" in found
    assert "1 more" in found
    assert advice_on([], []) == []
