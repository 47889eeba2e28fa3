"""NSVF data sets: a folder of photos, a folder of poses, one lens."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import numpy as np
from pydantic import Field

from nfcore import Split, UserError
from nfcore.dataset import Box, Depths, photo_header
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.capture_source import CaptureSource
from nfcore_scenes.json_poses import opengl_pose
from nfcore_scenes.lenses import Lens
from nfcore_scenes.number_files import numbers_in
from nfcore_scenes.photo_finder import photo_files
from nfcore_scenes.recording import PosedPhoto, Recording, counted

#: The first letter of a photo's name is its split.
_SPLITS: dict[str, Split] = dict(zip("012", get_args(Split), strict=True))
#: A box of unit cubes is at least this large: the last number of bbox.txt is the side of a voxel.
_CORNERS = 6


class Nsvf(CaptureSource):
    """A scene in the layout of Neural Sparse Voxel Fields (Liu et al. 2020), such as Synthetic-NSVF.

    ``rgb/0_0000.png`` is a training photo, 1 a validation and 2 a test photo, with ``pose/0_0000.txt``, camera to
    world with OpenCV's axes; ``intrinsics.txt`` holds a matrix, or focal length and principal point; ``bbox.txt``
    the box.
    """

    class Options(CaptureOptions):
        """Options of ``nsvf``."""

        path: Path = Field(description="Folder with rgb, pose, intrinsics.txt and, if known, bbox.txt")

    options: Options

    def read(self) -> Recording:
        """Read poses, lens and box, and list the photos."""
        folder = self.options.path
        files = photo_files(folder / "rgb")
        if not files:
            raise UserError(f"{folder / 'rgb'} has no photos: it holds those of NSVF's layout, such as 0_0000.png")
        photos, unposed = [], []
        splits: dict[Split, list[str]] = {split: [] for split in get_args(Split)}
        for file in files:
            pose_file = folder / "pose" / f"{file.stem}.txt"
            if not pose_file.is_file():
                unposed.append(file.name)
                continue
            matrix = numbers_in(pose_file, (16, 12)).reshape(-1, 4)
            if not np.isfinite(matrix).all():  # tracking that was lost
                unposed.append(file.name)
                continue
            pose = opengl_pose(matrix, str(pose_file))
            photos.append(PosedPhoto(file.name, file, pose, _lens(folder / "intrinsics.txt", file)))
            split = _SPLITS.get(file.name[0]) if file.name[1:2] == "_" else "train"
            splits[split or "train"].append(file.name)
        near_and_far = folder / "near_and_far.txt"
        box = folder / "bbox.txt"
        return Recording(
            where=folder / "pose",
            photos=tuple(photos),
            splits={split: tuple(names) for split, names in splits.items()} if splits["test"] else None,
            depths=Depths(*numbers_in(near_and_far, (2,)).tolist()) if near_and_far.is_file() else None,
            box=_box(box) if box.is_file() else None,
            outer=_box(box) if box.is_file() else None,
            rendered=True,
            notes=(f"{counted(unposed, files)} have no pose and are left out",) if unposed else (),
        )


def _lens(file: Path, photo: Path) -> Lens:
    """Return the lens of all photos: a 3x3 or 4x4 matrix, or NSVF's list: f cx cy ..., height width at its end."""
    numbers = numbers_in(file, None)
    height, width = photo_header(photo).size
    if len(numbers) in (9, 16):
        matrix = numbers.reshape(math.isqrt(len(numbers)), -1)
        focus = (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])
    elif len(numbers) >= 5:
        height, width = (round(value) for value in numbers[-2:])
        focus = (numbers[0], numbers[0], numbers[1], numbers[2])
    else:
        raise UserError(f"{file} holds {len(numbers)} numbers: neither a matrix nor f, cx, cy, ..., height, width")
    lens = Lens("PINHOLE", height, width, tuple(map(float, focus)))
    lens.check(str(file))
    return lens


def _box(file: Path) -> Box:
    x, y, z, right, up, front = np.minimum(numbers_in(file, (6, 7))[:_CORNERS], 1e9).tolist()
    return (x, y, z), (right, up, front)
