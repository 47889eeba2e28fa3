"""Reading of COLMAP models with pycolmap, checked first: pycolmap crashes on some damaged files."""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nfcore import UserError
from nfcore.io import read_file
from nfcore_scenes.colmap_library import pycolmap
from nfcore_scenes.folders import inside
from nfcore_scenes.lenses import Lens
from nfcore_scenes.points import MOST_BYTES

_NAMES = ("cameras", "images", "points3D")


@dataclass(frozen=True)
class Registered:
    """One photo with a pose by COLMAP.

    Args:
        name: its file, relative to the folder of the photos.
        pose: (3, 4) float64, camera to world, OpenGL axes.
        lens: its lens.

    """

    name: str
    pose: Tensor
    lens: Lens


@dataclass(frozen=True)
class Model:
    """A sparse reconstruction.

    Args:
        photos: sorted by name.
        points: (m, 3) float64, the reliable points.
        colours: (m, 3) uint8, RGB of the points.
        seen_point: (k,) indices of observed points.
        seen_by: (k,) indices of the photos that observe them.

    """

    photos: tuple[Registered, ...]
    points: Tensor
    colours: Tensor
    seen_point: Tensor
    seen_by: Tensor


def read_model(folder: Path) -> Model:
    """Read the model in ``folder``: cameras, images and points3D, all .bin or all .txt.

    Raises:
        UserError: a file is missing, damaged or not supported; names it.

    """
    suffix = _suffix(folder)
    if suffix == ".bin":
        check_lengths(folder)
    reconstruction = _reconstruction(folder, suffix)
    lenses = {
        number: Lens(camera.model.name, camera.height, camera.width, tuple(camera.params.tolist()))
        for number, camera in reconstruction.cameras.items()
    }
    for number, lens in lenses.items():
        lens.check(f"{folder / f'cameras{suffix}'}: camera {number}")
    where = f"{folder / f'images{suffix}'}:"
    named = sorted(
        ((_name(image, where), image) for image in reconstruction.images.values() if image.has_pose),
        key=lambda pair: pair[0],
    )
    photos = tuple(
        Registered(inside(name, f"{where} photo"), _pose(image, where), lenses[image.camera_id])
        for name, image in named
    )
    return Model(photos, *_reliable_points(reconstruction, [image.image_id for _, image in named]))


def _name(image: pycolmap.Image, where: str) -> str:
    try:
        return str(image.name)
    except UnicodeDecodeError:  # raised by the property: bytes that are no text
        raise UserError(f"{where} the name of image {image.image_id} is not UTF-8") from None


def _suffix(folder: Path) -> str:
    """Return ``.bin`` or ``.txt``, the suffix of all three files."""
    for suffix in (".bin", ".txt"):
        if all((folder / f"{name}{suffix}").is_file() for name in _NAMES):
            return suffix
    missing = [f"{name}.bin" for name in _NAMES if not (folder / f"{name}.bin").is_file()]
    raise UserError(f"{folder} has no complete COLMAP model, binary or text: {', '.join(missing)} is missing")


def _reconstruction(folder: Path, suffix: str) -> pycolmap.Reconstruction:
    # Rigs and frames of newer models are ignored: the poses of the images have the same content, in all models.
    with tempfile.TemporaryDirectory() as only:
        for name in _NAMES:
            file, link = folder / f"{name}{suffix}", Path(only) / f"{name}{suffix}"
            try:
                link.symlink_to(file.resolve())
            except OSError:  # a system without links
                shutil.copyfile(file, link)
        pycolmap.logging.minloglevel = pycolmap.logging.Level.FATAL.value  # it would print source lines of C++
        try:
            return pycolmap.Reconstruction(only)
        except Exception as error:  # ValueError, RuntimeError, IndexError, MemoryError: whatever the damage hits
            raise UserError(f"{folder} has a damaged COLMAP model ({suffix}): {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Return the first line of pycolmap's error, without its source location."""
    return (str(error).splitlines() or [type(error).__name__])[0].rpartition("] ")[2][:200]


def _pose(image: pycolmap.Image, where: str) -> Tensor:
    matrix = np.asarray(image.cam_from_world().inverse().matrix())
    if not np.isfinite(matrix).all():
        raise UserError(f"{where} photo {image.name!r} has a pose with NaN")
    # COLMAP's axes are x right, y down, z forwards.
    return torch.from_numpy(matrix * np.array([1.0, -1.0, -1.0, 1.0]))


def _reliable_points(
    reconstruction: pycolmap.Reconstruction, images: list[int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return points (m, 3) seen in 3 photos, or all if those are few, with colours and observations."""
    every = [point for point in reconstruction.points3D.values() if np.isfinite(point.xyz).all()]
    good = [point for point in every if point.track.length() >= 3 and point.error <= 2]
    chosen = good if len(good) >= 100 else every
    order = {number: index for index, number in enumerate(images)}
    seen = [
        (index, order[element.image_id])
        for index, point in enumerate(chosen)
        for element in point.track.elements
        if element.image_id in order
    ]
    points = torch.from_numpy(np.array([point.xyz for point in chosen], np.float64).reshape(-1, 3))
    colours = torch.from_numpy(np.array([point.color for point in chosen], np.uint8).reshape(-1, 3))
    pairs = torch.tensor(seen, dtype=torch.int64).reshape(-1, 2)
    return points, colours, pairs[:, 0], pairs[:, 1]


def check_lengths(folder: Path) -> None:
    """Check that the records of the three binary files end within the files.

    pycolmap trusts the counts in the file: a damaged one makes it allocate any amount of memory, or read for
    hours.

    Raises:
        UserError: a file is truncated or has an unknown camera model; names the file.

    """
    _Records(folder / "cameras.bin").each(_skip_camera)
    _Records(folder / "images.bin").each(_skip_image)
    _Records(folder / "points3D.bin").each(_skip_point)


class _Records:
    """A binary file of COLMAP: a count and that many records."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.data = read_file(file, MOST_BYTES)
        self.at = 0

    def each(self, skip: Callable[[_Records], None]) -> None:
        try:
            for _ in range(self.number("<Q")):
                skip(self)
        except _TooShortError:
            raise UserError(
                f"{self.file} is damaged or cut off: {len(self.data)} bytes, but at least {self.at} are required"
            ) from None

    def number(self, kind: str) -> int:
        start = self.at
        self.skip(struct.calcsize(kind))
        value: int = struct.unpack_from(kind, self.data, start)[0]
        return value

    def skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self.data):
            raise _TooShortError

    def skip_text(self) -> None:
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise _TooShortError
        self.at = end + 1


class _TooShortError(Exception):
    """A record is longer than the rest of its file."""


def _skip_camera(records: _Records) -> None:
    records.skip(4)
    model = records.number("<i")
    if model not in _PARAMETERS:
        raise UserError(f"{records.file}: camera model number {model} is unknown; known are {sorted(_PARAMETERS)}")
    records.skip(16 + 8 * _PARAMETERS[model])


def _skip_image(records: _Records) -> None:
    records.skip(4 + 7 * 8 + 4)
    records.skip_text()
    records.skip(24 * records.number("<Q"))


def _skip_point(records: _Records) -> None:
    records.skip(8 + 3 * 8 + 3 + 8)
    records.skip(8 * records.number("<Q"))


#: Number of parameters of each camera model, by COLMAP's number.
_PARAMETERS = {
    int(model): len(pycolmap.Camera.create_from_model_id(1, model, 1.0, 1, 1).params)
    for name, model in pycolmap.CameraModelId.__members__.items()
    if name != "INVALID"
}
