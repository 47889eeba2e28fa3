"""Record3D's raw exports: photos, and one file of poses and lens."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat

from nfcore import UserError
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.capture_source import CaptureSource
from nfcore_scenes.json_poses import read_json, rigid_pose, rotation_of
from nfcore_scenes.lenses import Lens
from nfcore_scenes.photo_finder import photo_files
from nfcore_scenes.recording import PosedPhoto, Recording, counted

#: Names of the file in exports and in the app's archives, and folders of the photos.
FILES, _FOLDERS = ("metadata.json", "metadata"), ("rgb", "rgbd", "images")
_LENS_OF_FRAMES = "perFrameIntrinsicCoeffs"


class Metadata(BaseModel):
    """The file of poses and lens; other entries are ignored."""

    poses: list[list[float]] = Field(
        min_length=1, description="Camera to world, OpenGL axes: a quaternion x, y, z, w, then the position"
    )
    K: list[FiniteFloat] = Field(
        min_length=9, max_length=9, description="Matrix of the lens, column by column, in pixels"
    )
    lens_of_frames: list[tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]] | None = Field(
        None,
        alias=_LENS_OF_FRAMES,
        description="fx, fy, cx, cy of each frame in pixels: the image stabiliser moves the lens",
    )
    w: int = Field(ge=1, description="Width of the photos in pixels")
    h: int = Field(ge=1, description="Height of the photos in pixels")
    fps: FiniteFloat | None = Field(None, gt=0, description="Photos per second")


class Record3d(CaptureSource):
    """A raw export of Record3D: ``metadata.json`` next to ``rgb``, or the unpacked archive .r3d with ``rgbd``.

    The world is ARKit's in metres, turned upright.
    """

    class Options(CaptureOptions):
        """Options of ``record3d``."""

        path: Path = Field(description="Folder with metadata.json and rgb, or with metadata and rgbd")

    options: Options

    def read(self) -> Recording:
        """Read poses and lens, and list the photos."""
        folder = self.options.path
        file = next((folder / name for name in FILES if (folder / name).is_file()), folder / FILES[0])
        if (folder / "camera").is_dir() and not any((folder / name).exists() for name in ("rgbd", "metadata")):
            raise UserError(
                f"{folder} is of Nerfies, photos of a moving scene, which is not read: pose photos of one moment: "
                f"nfcore pose {folder / 'rgb'}"
            )
        files = next(filter(None, (photo_files(folder / name) for name in _FOLDERS)), [])
        if not files:
            raise UserError(
                f"{folder} has no photos in {', '.join(_FOLDERS)}; if {file.name} is not of Record3D, choose "
                f"photos:{folder} to estimate poses"
            )
        metadata = read_json(file, Metadata)
        lenses = _lenses(metadata, file)
        numbers = [_number(photo) for photo in files]
        first = 1 if 0 not in numbers and max(numbers) >= len(metadata.poses) else 0
        photos, unposed = [], []
        for photo, number in sorted(zip(files, numbers, strict=True), key=lambda pair: pair[1]):
            index = number - first
            pose = None
            if 0 <= index < len(metadata.poses):
                pose = rigid_pose(_rows(metadata.poses[index], f"{file}: pose {index}"), f"{file}: pose {index}")
            if pose is None:
                unposed.append(photo.name)
            else:
                photos.append(PosedPhoto(photo.name, photo, pose, lenses[index]))
        notes = (f"{counted(unposed, files)} have no pose and are left out",) if unposed else ()
        return Recording(where=file, photos=tuple(photos), keeps_world=False, notes=notes)


def _lenses(metadata: Metadata, file: Path) -> list[Lens]:
    """Return the lens of each pose."""
    matrix = np.array(metadata.K).reshape(3, 3).T
    shared = (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])
    own = metadata.lens_of_frames or []
    if own and len(own) != len(metadata.poses):
        raise UserError(f"{file}: {_LENS_OF_FRAMES} has {len(own)} frames, and poses has {len(metadata.poses)}")
    focuses, where = (own, _LENS_OF_FRAMES) if own else ([shared] * len(metadata.poses), "K")
    lenses = [Lens("PINHOLE", metadata.h, metadata.w, tuple(map(float, focus))) for focus in focuses]
    for lens in dict.fromkeys(lenses):
        lens.check(f"{file}: {where}")
    return lenses


def _number(photo: Path) -> int:
    """Return the number of a frame, by the last digits of its photo's name."""
    digits = re.findall(r"\d+", photo.stem)
    if not digits:
        raise UserError(f"{photo}: the photos of Record3D have the numbers of their frames as names")
    return int(digits[-1])


def _rows(pose: list[float], where: str) -> list[list[float]]:
    """Return the 3x4 matrix of a quaternion x, y, z, w and a position."""
    if len(pose) != 7:
        raise UserError(f"{where} must have 7 numbers, a quaternion and a position, not {len(pose)}")
    length = float(np.linalg.norm(pose[:4]))
    if not np.isfinite(length) or length < 1e-9:
        return [[float("nan")] * 4] * 3
    x, y, z, w = (value / length for value in pose[:4])
    return [[*row, position] for row, position in zip(rotation_of(w, x, y, z).tolist(), pose[4:], strict=True)]
