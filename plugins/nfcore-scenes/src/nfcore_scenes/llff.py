"""LLFF captures: poses_bounds.npy next to images, images_4, images_8, ..."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from nfcore import UserError
from nfcore.dataset import Depths
from nfcore.io import read_file
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.capture_source import CaptureSource
from nfcore_scenes.json_poses import RIGID_TOLERANCE
from nfcore_scenes.lenses import Lens
from nfcore_scenes.photo_finder import photo_files
from nfcore_scenes.photo_folders import image_folder
from nfcore_scenes.recording import PosedPhoto, Recording


class Llff(CaptureSource):
    """A scene in the layout of Local Light Field Fusion (Mildenhall et al. 2019), as NeRF reads it.

    ``poses_bounds.npy`` has a row of 17 numbers for each photo, in the order of the file names: a 3x5 matrix of
    the axes down, right and backwards, the position, and height, width and focal length in pixels; then the depths
    of the nearest and of the farthest surface. The world is scaled so that the nearest depth of all is 1 /
    bd_factor, and for forward-facing captures recentred. Every 8th photo is a test view.
    """

    class Options(CaptureOptions):
        """Options of ``llff``."""

        path: Path = Field(description="Folder with poses_bounds.npy and images, images_4 or the like")
        bd_factor: float = Field(
            0.75,
            gt=0,
            le=1,
            description="Distance of the near plane, 1 after scaling, as a share of the nearest depth",
        )

    options: Options

    def read(self) -> Recording:
        """Read poses_bounds.npy, and list the photos."""
        file = self.options.path / "poses_bounds.npy"
        poses, sizes, bounds = read_poses_bounds(file)
        videos = sorted(self.options.path.glob("*.mp4"))
        if len(videos) == len(poses):
            raise UserError(
                f"{videos[0].parent} has a video for each camera, of a moving scene: put one frame of each into "
                f"images, such as ffmpeg -i {videos[0].name} -frames:v 1 images/{videos[0].stem}.png"
            )
        photos = photo_files(image_folder(self.options.path, self.image_size))
        if len(photos) != len(poses):
            raise UserError(
                f"{file} has poses of {len(poses)} photos, but {photos[0].parent} holds {len(photos)}: it must "
                "hold all that were posed, as their names are not in the file"
            )
        # NeRF's scale: the nearest depth becomes 1 / bd_factor, and so the near plane 1.
        scale = 1 / (float(bounds.min()) * self.options.bd_factor)
        poses[:, :, 3] *= scale
        return Recording(
            where=file,
            photos=tuple(
                PosedPhoto(photo.name, photo, pose, _lens(size, photo))
                for photo, pose, size in zip(photos, poses, sizes, strict=True)
            ),
            depths=Depths(1.0, float(bounds.max()) * scale),
            keeps_world=False,
        )


def read_poses_bounds(file: Path) -> tuple[Tensor, list[tuple[float, float, float]], Tensor]:
    """Return poses (n, 3, 4), OpenGL axes, (height, width, focal) in pixels, and bounds (n, 2), float64.

    Raises:
        UserError: the file is missing or has other contents.

    """
    if not os.path.lexists(file):
        raise UserError(f"{file} is missing: an LLFF data set holds its poses there")
    data = read_file(file)
    try:
        rows = np.load(io.BytesIO(data), allow_pickle=False)
    except OSError as error:
        raise UserError(f"{file} can't be read: {error.strerror or 'it is no array of numbers'}") from None
    except (ValueError, EOFError, SyntaxError, MemoryError, OverflowError):
        raise UserError(f"{file} is no NumPy array of numbers") from None
    if isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.shape[1] == 14:
        raise UserError(
            f"{file} holds 14 numbers for each photo, (n, 14), as the Shiny data set does with hwf_cxcy.npy; put "
            "height, width and focal length after each row of its 3x4 matrices to make (n, 17)"
        )
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != 17 or rows.dtype.kind not in "fiu":
        found = f"{rows.shape} of {rows.dtype}" if isinstance(rows, np.ndarray) else "several arrays"
        raise UserError(
            f"{file} must hold 17 numbers for each photo, (n, 17), the last two its nearest and farthest depth, "
            f"not {found}"
        )
    rows = rows.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(rows).all(1) | (np.abs(rows) > 1e12).any(1))
    if len(bad):
        raise UserError(f"{file}: row {bad[0]} of {len(rows)} holds NaN or a number that is out of range")
    matrices = torch.from_numpy(rows[:, :15].reshape(-1, 3, 5))
    down, right, backward, position, _ = matrices.unbind(2)
    poses = torch.stack([right, -down, backward, position], 2)
    bounds = torch.from_numpy(rows[:, 15:])
    _check(file, poses, matrices[:, :, 4], bounds)
    return poses, [tuple(size) for size in matrices[:, :, 4].tolist()], bounds


def _check(file: Path, poses: Tensor, sizes: Tensor, bounds: Tensor) -> None:
    rotation = poses[:, :, :3]
    skew = (rotation.transpose(1, 2) @ rotation - torch.eye(3, dtype=poses.dtype)).abs().amax((1, 2))
    problems = [
        ((skew > RIGID_TOLERANCE) | (torch.linalg.det(rotation) < 0), "its axes are no rotation"),
        ((sizes < 1).any(1), "height, width and focal length must be 1 or more"),
        ((bounds[:, 0] <= 0) | (bounds[:, 1] <= bounds[:, 0]), "its depths must be 0 < nearest < farthest"),
    ]
    for wrong, what in problems:
        if wrong.any():
            raise UserError(f"{file}: row {int(wrong.nonzero()[0])} of {len(poses)}: {what}")


def _lens(size: tuple[float, float, float], photo: Path) -> Lens:
    height, width, focal = size
    lens = Lens("SIMPLE_PINHOLE", round(height), round(width), (focal, width / 2, height / 2))
    lens.check(str(photo))
    return lens
