"""DTU and BlendedMVS as IDR and NeuS read them: cameras.npz next to photos and masks of the object."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from nfcore import UserError
from nfcore.dataset import Box, photo_header
from nfcore.io import read_file
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.capture_source import CaptureSource
from nfcore_scenes.frames import MaskUse
from nfcore_scenes.lenses import Lens
from nfcore_scenes.photo_finder import photo_files
from nfcore_scenes.recording import PosedPhoto, Recording

#: Names of the file of cameras: IDR's and NeuS's.
FILES = ("cameras.npz", "cameras_sphere.npz")
#: IDR's scale matrices put the object into the unit sphere.
_UNIT: Box = ((-1.01, -1.01, -1.01), (1.01, 1.01, 1.01))
#: From OpenCV's axes to OpenGL's.
_FLIP = np.array([1.0, -1.0, -1.0])


class Idr(CaptureSource):
    """A scene in the layout of IDR (Yariv et al. 2020, DATA_CONVENTION.md), such as DTU's scans.

    ``cameras.npz`` holds for photo i the projection ``world_mat_i`` and the normalisation ``scale_mat_i`` of the
    world, in whose unit sphere the object is. ``mask`` cuts the object out, so that the scene is bounded; without
    masks, what is beyond the sphere is background.
    """

    class Options(CaptureOptions):
        """Options of ``idr``."""

        path: Path = Field(description="Folder with cameras.npz, image and, if there are masks, mask")
        masks: MaskUse = Field(
            "transparent",
            description="What black pixels of the masks are: transparent, as masks cut out the object; ignored; "
            "or off, to not use masks",
        )

    options: Options

    def read(self) -> Recording:
        """Read cameras.npz, and list photos and masks."""
        folder = self.options.path
        file = next((folder / name for name in FILES if (folder / name).is_file()), folder / FILES[0])
        matrices = _matrices(file)
        photos = photo_files(folder / "image") or photo_files(folder / "images")
        if not photos:
            raise UserError(f"{folder / 'image'} has no photos")
        masks = photo_files(folder / "mask") or photo_files(folder / "masks")
        if self.options.masks == "off" or len(masks) != len(photos):
            masks = []
        posed = []
        for index, photo in enumerate(photos):
            world, scale = matrices.get(f"world_mat_{index}"), matrices.get(f"scale_mat_{index}", np.eye(4))
            if world is None:
                raise UserError(f"{file} has no world_mat_{index} for {photo}: it must have one for each photo")
            pose, lens = _decomposed(world @ scale, photo, f"{file}: world_mat_{index}")
            mask = masks[index] if masks else None
            ignored, cut_out = (mask, None) if self.options.masks == "ignore" else (None, mask)
            posed.append(PosedPhoto(photo.name, photo, pose, lens, ignored, cut_out))
        return Recording(where=file, photos=tuple(posed), box=_UNIT, outer=_UNIT)


def _matrices(file: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Return the 4x4 matrices of an npz file by name."""
    try:
        with np.load(io.BytesIO(read_file(file)), allow_pickle=False) as archive:
            found = {name: np.asarray(archive[name], np.float64) for name in archive.files if "_mat_" in name}
    except UserError:
        raise
    except Exception as error:  # numpy and zipfile raise many kinds for damaged archives
        raise UserError(f"{file} is damaged, or no archive of NumPy: {type(error).__name__}") from None
    return {name: matrix for name, matrix in found.items() if matrix.shape == (4, 4)}


def _decomposed(projection: npt.NDArray[np.float64], photo: Path, where: str) -> tuple[Tensor, Lens]:
    """Return pose and lens of a projection K [R | t], by the RQ decomposition of its left part."""
    left = projection[:3, :3]
    if not np.isfinite(projection[:3]).all() or abs(np.linalg.det(left)) < 1e-12:
        raise UserError(f"{where} is no projection: it is not finite, or has no inverse")
    # A projection is known up to a factor; a rotation has a positive determinant.
    left = left * np.sign(np.linalg.det(left))
    lower, upper = np.linalg.qr(np.linalg.inv(left))
    signs = np.sign(np.diag(upper))
    rotation = (lower * signs).T
    matrix = np.linalg.inv(signs[:, None] * upper)
    matrix = matrix / matrix[2, 2]
    centre = -np.linalg.inv(projection[:3, :3]) @ projection[:3, 3]
    height, width = photo_header(photo).size
    lens = Lens("PINHOLE", height, width, (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]))
    lens.check(where)
    return torch.from_numpy(np.concatenate([rotation.T * _FLIP, centre[:, None]], 1)), lens
