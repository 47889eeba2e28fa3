"""DTU and BlendedMVS as IDR and NeuS read them: cameras.npz next to photos and masks of the object."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

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
from nfcore_scenes.recording import PosedPhoto, Recording, counted

Value = TypeVar("Value")

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
        masks = [] if self.options.masks == "off" else masks
        mask_of = _paired(photos, dict(enumerate(masks)), _by_number(masks)) or {}
        number_of = {number: number for number in sorted(_numbers(matrices))}
        matrix_of = _paired(photos, dict(enumerate(number_of)), number_of)
        if matrix_of is None:
            raise UserError(
                f"{file} has {len(number_of)} world_mat_N for {len(photos)} photos in {photos[0].parent}: "
                "it must have one for each, or the photos the numbers of theirs as names"
            )
        posed, unmasked = [], []
        for photo, number in matrix_of.items():
            if masks and photo not in mask_of:
                unmasked.append(photo.name)
                continue
            world, scale = matrices[f"world_mat_{number}"], matrices.get(f"scale_mat_{number}", np.eye(4))
            pose, lens = _decomposed(world @ scale, photo, f"{file}: world_mat_{number}")
            mask = mask_of.get(photo)
            ignored, cut_out = (mask, None) if self.options.masks == "ignore" else (None, mask)
            posed.append(PosedPhoto(photo.name, photo, pose, lens, ignored, cut_out))
        notes = (
            (f"{counted(unmasked, photos)} have no mask and are left out: masks=off reads all",)
            if unmasked
            else ()
        )
        return Recording(where=file, photos=tuple(posed), box=_UNIT, outer=_UNIT, notes=notes)


def _paired(
    photos: list[Path], by_place: dict[int, Value], by_number: dict[int, Value]
) -> dict[Path, Value] | None:
    """Return what belongs to each photo: in order if there is one for each, else by the numbers in their names.

    None if nothing belongs to any.
    """
    if len(by_place) == len(photos):
        return {photo: by_place[index] for index, photo in enumerate(photos)}
    return {
        photo: by_number[number] for number, photo in _by_number(photos).items() if number in by_number
    } or None


def _by_number(files: list[Path]) -> dict[int, Path]:
    """Return files by the last number in their names."""
    digits = {file: re.findall(r"\d+", file.stem) for file in files}
    return {int(found[-1]): file for file, found in digits.items() if found}


def _numbers(matrices: Iterable[str]) -> set[int]:
    """Return the numbers N of matrices called world_mat_N."""
    numbers = (name.removeprefix("world_mat_") for name in matrices if name.startswith("world_mat_"))
    return {int(number) for number in numbers if number.isdecimal()}


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
