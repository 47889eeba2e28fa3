"""LLFF captures: poses_bounds.npy next to images, images_4, images_8, ..."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import Cameras, Scene, Split, UserError, Views
from nfcore.dataset import (
    Depths,
    forward_frame,
    hold_out,
    inner_box,
    looks_forward,
    moved_poses,
    upright_frame,
)
from nfcore.io import read_file
from nfcore_scenes.bounds import forward_scene, scene_around
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.captures import Capture, PosedPhoto
from nfcore_scenes.folders import image_folder, photo_files
from nfcore_scenes.lenses import Lens
from nfcore_scenes.novel_poses import novel_cameras

#: Tolerance of a pose's R^T R against the identity.
_RIGID_TOLERANCE = 1e-3


class Llff(nfcore.RaySource):
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

    def __init__(self, options: Options, image_size: int | None = None) -> None:
        super().__init__(options, image_size)
        if not options.path.is_dir():
            raise UserError(f"there is no folder {options.path}: 'path' is the one that holds poses_bounds.npy")
        file = options.path / "poses_bounds.npy"
        poses, sizes, bounds = read_poses_bounds(file)
        photos = photo_files(image_folder(options.path, image_size))
        if len(photos) != len(poses):
            raise UserError(f"{file} has poses of {len(poses)} photos, but {photos[0].parent} holds {len(photos)}")
        # NeRF's scale: the nearest depth becomes 1 / bd_factor, and so the near plane 1.
        scale = 1 / (float(bounds.min()) * options.bd_factor)
        poses[:, :, 3] *= scale
        depths = Depths(1.0, float(bounds.max()) * scale)
        nearest = float(bounds.min()) * scale
        forward = options.forward_facing
        if forward is None:
            forward = looks_forward(poses, nearest)
        poses = moved_poses(forward_frame(poses) if forward else upright_frame(poses), poses)
        posed = [
            PosedPhoto(photo.name, photo, pose, _lens(size, photo))
            for photo, pose, size in zip(photos, poses, sizes, strict=True)
        ]
        splits = hold_out(posed, options.test_every, options.hold_out, str(file))
        self._capture = Capture(splits, image_size, options)
        where = str(file)
        if forward:
            self._scene = forward_scene(self._capture, depths, nearest, options, where)
        else:
            self._scene = scene_around(self._capture, depths, inner_box(poses, None), options, where)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.options.path.resolve().name

    @property
    def scene(self) -> Scene:
        """Depth range from the bounds; the box from what the training cameras see."""
        return self._scene

    def views(self, split: Split) -> Views:
        """Return the posed photos of one split; see ``nfcore.RaySource.views``."""
        return self._capture.views(split)

    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` cameras from among the training cameras; see ``nfcore.RaySource``."""
        return novel_cameras(self._capture.cameras("train"), self._scene.forward_facing, n, generator)


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
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != 17 or rows.dtype.kind not in "fiu":
        found = f"{rows.shape} of {rows.dtype}" if isinstance(rows, np.ndarray) else "several arrays"
        raise UserError(f"{file} must hold 17 numbers for each photo, (n, 17), not {found}")
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
        ((skew > _RIGID_TOLERANCE) | (torch.linalg.det(rotation) < 0), "its axes are no rotation"),
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
