"""COLMAP's database of one capture: cameras, photos, features, matches."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from nfcore_pose.job import Job, copy_name
from nfcore_pose.pairs import largest_features


def prepare(file: Path, job: Job) -> None:
    """Write cameras and photos into a new database, unless ``file`` holds a sound one of an interrupted call."""
    if file.exists() and not is_sound(file, len(job.photos)):
        for leftover in file.parent.glob(f"{file.name}*"):
            leftover.unlink()
    if file.exists():
        return
    with pycolmap.Database.open(file) as database:
        for index, wanted in enumerate(job.cameras):
            copy = next(photo for photo in job.photos if photo.camera == index)
            camera = pycolmap.Camera.create_from_model_name(
                index + 1, wanted.model, wanted.focal, wanted.width, wanted.height
            )
            camera.rescale(copy.width, copy.height)
            camera.has_prior_focal_length = wanted.known
            database.write_camera(camera, use_camera_id=True)
            rig = pycolmap.Rig(rig_id=index + 1)
            rig.add_ref_sensor(camera.sensor_id)
            database.write_rig(rig, use_rig_id=True)
        for index, photo in enumerate(job.photos):
            image = pycolmap.Image(name=copy_name(index), camera_id=photo.camera + 1, image_id=index + 1)
            database.write_image(image, use_image_id=True)
            frame = pycolmap.Frame(frame_id=index + 1, rig_id=photo.camera + 1)
            frame.add_data_id(image.data_id)
            database.write_frame(frame, use_frame_id=True)


def is_sound(file: Path, photos: int) -> bool:
    """Return whether ``file`` is an undamaged database of ``photos`` photos."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            checks = {
                "PRAGMA quick_check": "ok",
                "SELECT count(*) FROM images": photos,
                "SELECT count(*) FROM keypoints k LEFT JOIN descriptors d USING (image_id) "
                "WHERE d.image_id IS NULL OR k.rows != d.rows OR length(k.data) != 4 * k.rows * k.cols "
                "OR length(d.data) != d.rows * d.cols": 0,
            }
            return all(connection.execute(check).fetchone() == (right,) for check, right in checks.items())
    except sqlite3.DatabaseError:
        return False


def without_features(file: Path, photos: int) -> list[int]:
    """Return the indices of the photos whose features are still to be found."""
    with pycolmap.Database.open(file) as database:
        return [index for index in range(photos) if not database.exists_descriptors(index + 1)]


def unmatched(file: Path, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return those of ``pairs`` that are still to be matched."""
    with pycolmap.Database.open(file) as database:
        return [
            (first, second)
            for first, second in pairs
            if not database.exists_two_view_geometry(first + 1, second + 1)
        ]


def matched_pairs(file: Path, fewest: int = 1) -> list[tuple[int, int]]:
    """Return the pairs with at least ``fewest`` verified matches, in order."""
    with pycolmap.Database.open(file) as database:
        numbers, counts = database.read_two_view_geometry_num_inliers()
    pairs = [pycolmap.pair_id_to_image_pair(number) for number in numbers]
    return sorted(
        (first - 1, second - 1) for (first, second), count in zip(pairs, counts, strict=True) if count >= fewest
    )


def all_largest_features(file: Path, photos: int) -> list[NDArray[np.float32]]:
    """Return the descriptors of each photo's largest features; see ``pairs.largest_features``."""
    with pycolmap.Database.open(file) as database:
        found = []
        for number in range(1, photos + 1):
            scales = np.asarray(database.read_keypoints(number))[:, 2]
            found.append(largest_features(scales, np.asarray(database.read_descriptors(number).data)))
        return found


def homographies(file: Path, pairs: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return the homographies (n, 3, 3) from pixels of the first to pixels of the second photo of each pair."""
    with pycolmap.Database.open(file) as database:
        found = [database.read_two_view_geometry(first + 1, second + 1).H for first, second in pairs]
    return np.stack([np.eye(3) if homography is None else homography for homography in found])
