"""COLMAP models: cameras, posed photos and reliable points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nfcore import UserError
from nfcore.dataset import depths_of
from nfcore_scenes.colmap_records import ImageRecord, PointRecord, read_cameras, read_images, read_points3d
from nfcore_scenes.json_poses import rotation_of
from nfcore_scenes.lenses import Lens
from nfcore_scenes.points import read_points

_SUFFIXES = (".bin", ".txt")
#: Points seen in fewer photos, or with a larger error in pixels, are not reliable; all are used if few are left.
_LEAST_VIEWS, _MOST_ERROR, _FEW_POINTS = 3, 2.0, 100
#: From COLMAP's axes, y down and z forwards, to OpenGL's.
_FLIP = np.array([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Registered:
    """One photo with a pose by COLMAP.

    Args:
        name: its file, relative to the folder of the photos.
        pose: (3, 4) float64, camera to world, OpenGL axes; None if it is not finite.
        lens: its lens.

    """

    name: str
    pose: Tensor | None
    lens: Lens


@dataclass(frozen=True)
class Model:
    """A sparse reconstruction.

    Args:
        photos: sorted by name.
        points: (m, 3) float64, the reliable points; m may be 0.
        colours: (m, 3) uint8, RGB of the points.
        seen_point: (k,) indices of observed points.
        seen_by: (k,) indices of the photos that observe them.

    """

    photos: tuple[Registered, ...]
    points: Tensor
    colours: Tensor
    seen_point: Tensor
    seen_by: Tensor

    def sightings(self) -> Tensor | None:
        """Return the depths (k,) > 0 of points in the photos that observe them; None if no photo observes any."""
        posed = torch.tensor([photo.pose is not None for photo in self.photos], dtype=torch.bool)
        kept = posed[self.seen_by]
        if not kept.any():
            return None
        nowhere = torch.zeros(3, 4, dtype=torch.float64)
        poses = torch.stack([nowhere if photo.pose is None else photo.pose for photo in self.photos])
        depth = depths_of(poses, self.points[self.seen_point[kept]], self.seen_by[kept])
        return depth[depth > 0]


def read_model(folder: Path) -> Model:
    """Read the model in ``folder``: cameras, images and, if it is there, points3D, all .bin or all .txt.

    Points without tracks may also be in points3D.ply.

    Raises:
        UserError: a file is missing, damaged or not supported; names it.

    """
    suffix = _suffix(folder)
    lenses = {}
    for camera in read_cameras(folder / f"cameras{suffix}"):
        lens = Lens(camera.model, camera.height, camera.width, camera.params)
        lens.check(f"{folder / f'cameras{suffix}'}: camera {camera.number}")
        lenses[camera.number] = lens
    file = folder / f"images{suffix}"
    images = sorted(read_images(file), key=lambda image: image.name)
    for image in images:
        if image.camera not in lenses:
            raise UserError(f"{file}: photo {image.name!r} has camera {image.camera}, which cameras{suffix} lacks")
    photos = tuple(Registered(image.name, _pose(image), lenses[image.camera]) for image in images)
    points = folder / f"points3D{suffix}"
    records = read_points3d(points) if points.is_file() else []
    if not records and (folder / "points3D.ply").is_file():  # as programs that start from known poses have them
        positions, colours = read_points(folder / "points3D.ply")
        grey = torch.full((len(positions), 3), 128, dtype=torch.uint8)
        nowhere = torch.empty(0, dtype=torch.int64)
        return Model(photos, positions, grey if colours is None else colours, nowhere, nowhere)
    return Model(photos, *_reliable_points(records, [image.number for image in images]))


def _suffix(folder: Path) -> str:
    """Return ``.bin`` or ``.txt``, the suffix of cameras and images; those with points come first."""
    for needed in (("cameras", "images", "points3D"), ("cameras", "images")):
        for suffix in _SUFFIXES:
            if all((folder / f"{name}{suffix}").is_file() for name in needed):
                return suffix
    missing = [f"{name}.bin" for name in ("cameras", "images") if not (folder / f"{name}.bin").is_file()]
    raise UserError(f"{folder} has no complete COLMAP model, binary or text: {', '.join(missing)} is missing")


def _pose(image: ImageRecord) -> Tensor | None:
    """Return an image's pose, camera to world with OpenGL axes."""
    rotation = np.array(image.rotation)
    length = float(np.linalg.norm(rotation))
    if not np.isfinite([*image.rotation, *image.translation]).all() or not 1e-6 < length < 1e6:
        return None
    turned = rotation_of(*rotation / length)
    matrix = np.column_stack([turned.T, -turned.T @ np.array(image.translation)])
    if not np.isfinite(matrix.astype(np.float32)).all():
        return None
    return torch.from_numpy(matrix * _FLIP)


def _reliable_points(records: list[PointRecord], images: list[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return points (m, 3) seen in 3 photos, or all if those are few, with colours and observations."""
    every = [point for point in records if np.isfinite(point.position).all()]
    good = [point for point in every if len(point.images) >= _LEAST_VIEWS and point.error <= _MOST_ERROR]
    chosen = good if len(good) >= _FEW_POINTS else every
    order = {number: index for index, number in enumerate(images)}
    seen = [
        (index, order[image]) for index, point in enumerate(chosen) for image in point.images if image in order
    ]
    positions = torch.from_numpy(np.array([point.position for point in chosen], np.float64).reshape(-1, 3))
    colours = torch.from_numpy(np.array([point.colour for point in chosen], np.uint8).reshape(-1, 3))
    pairs = torch.tensor(seen, dtype=torch.int64).reshape(-1, 2)
    return positions, colours, pairs[:, 0], pairs[:, 1]
