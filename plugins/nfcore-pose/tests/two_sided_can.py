"""A can whose label is on it twice, in a round room: matches of a whole round of photos, as COLMAP's database."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pycolmap
from PIL import Image

from nfcore_pose.database import prepare
from nfcore_pose.job import COPIES, DATABASE, Job, JobCamera, JobPhoto, copy_name

PHOTOS, _SIDE, _FOCAL = 24, 400, 500.0
#: Points of one label, and of the room: few, so that matches of the wrong side of the can outweigh them.
_LABEL, _ROOM = 300, 150


def poses() -> np.ndarray:
    """World-to-camera (n, 3, 4), OpenCV axes: one round, all looking at the can."""
    found = []
    for angle in np.linspace(0, 2 * np.pi, PHOTOS, endpoint=False):
        eye = np.array([3 * np.cos(angle), 3 * np.sin(angle), 1.0])
        forward = -eye / np.linalg.norm(eye)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        found.append(np.concatenate([rotation, -rotation @ eye[:, None]], 1))
    return np.stack(found)


def save(folder: Path) -> Job:
    """Write the database and blank photos into ``folder``."""
    camera = JobCamera(model="SIMPLE_RADIAL", height=_SIDE, width=_SIDE, focal=_FOCAL, known=True)
    photos = tuple(JobPhoto(name=f"{i}.jpg", camera=0, height=_SIDE, width=_SIDE) for i in range(PHOTOS))
    job = Job(cameras=(camera,), photos=photos, sequential=False, exhaustive=False, seed=0, threads=1)
    (folder / COPIES).mkdir()
    for index in range(PHOTOS):
        Image.new("L", (_SIDE, _SIDE)).save(folder / COPIES / copy_name(index))
    prepare(folder / DATABASE, job)
    seen = [_seen(pose, np.random.default_rng(index)) for index, pose in enumerate(poses())]
    lens = pycolmap.Camera(
        model="SIMPLE_PINHOLE", width=_SIDE, height=_SIDE, params=[_FOCAL, _SIDE / 2, _SIDE / 2]
    )
    options = pycolmap.TwoViewGeometryOptions()
    options.ransac.random_seed = 0
    with pycolmap.Database.open(folder / DATABASE) as database:
        for index, (_, places) in enumerate(seen):
            database.write_keypoints(index + 1, places.astype(np.float32))
        for first in range(PHOTOS):
            for second in range(first + 1, PHOTOS):
                # What looks the same matches, whichever side of the can it is on.
                _, *rows = np.intersect1d(seen[first][0], seen[second][0], return_indices=True)
                matches = np.stack(rows, 1).astype(np.uint32)
                geometry = pycolmap.estimate_two_view_geometry(
                    lens, seen[first][1], lens, seen[second][1], matches, options
                )
                if len(geometry.inlier_matches):
                    database.write_two_view_geometry(first + 1, second + 1, geometry)
    return job


def _seen(pose: np.ndarray, noise: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What a photo sees: how the points look, (k,) numbers, and where they are, (k, 2) pixels."""
    random = np.random.default_rng(0)
    angle, height = random.uniform(0, np.pi, _LABEL), random.uniform(-0.8, 0.8, _LABEL)
    angle = np.concatenate([angle, angle + np.pi])
    out = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], 1)
    can = 0.5 * out + np.concatenate([height, height])[:, None] * [0, 0, 1]
    around, high = random.uniform(0, 2 * np.pi, _ROOM), random.uniform(-4, 1, _ROOM)
    room = np.stack([6 * np.cos(around), 6 * np.sin(around), high], 1)
    points = np.concatenate([can, room])
    looks = np.concatenate([np.arange(_LABEL), np.arange(_LABEL), _LABEL + np.arange(_ROOM)])
    eye = -pose[:, :3].T @ pose[:, 3]
    faces = np.concatenate([((eye - can) * out).sum(1) > 0.5, np.ones(_ROOM, bool)])
    local = points @ pose[:, :3].T + pose[:, 3]
    places = _FOCAL * local[:, :2] / local[:, 2:] + _SIDE / 2
    visible = faces & (local[:, 2] > 0) & ((places > 0) & (places < _SIDE)).all(1)
    return looks[visible], places[visible] + noise.normal(0, 0.3, (visible.sum(), 2))
