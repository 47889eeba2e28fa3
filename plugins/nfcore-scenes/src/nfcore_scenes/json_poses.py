"""JSON files of posed photos: reads and checks them, with one line for each mistake that names its place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor

from nfcore import UserError
from nfcore.io import read_json_bytes
from nfcore_scenes.encodings import decoded

Model = TypeVar("Model", bound=BaseModel)

#: Tolerance of a rotation's R^T R against the identity: files print few digits, but a scale is no rotation.
RIGID_TOLERANCE = 1e-3


def read_json(file: Path, model: type[Model]) -> Model:
    """Return the contents of a JSON file as ``model``.

    Raises:
        UserError: the file is missing, not JSON, or has other contents; names the place in it.

    """
    if not os.path.lexists(file):
        raise UserError(f"{file} is missing: the data set lists its photos and poses there")
    try:
        return model.model_validate_json(decoded(read_json_bytes(file)))
    except ValidationError as error:
        raise UserError(_first_problem(file, error)) from None


def _first_problem(file: Path, error: ValidationError) -> str:
    issue = error.errors()[0]
    if issue["type"] == "json_invalid":
        return f"{file} is not valid JSON: {issue['msg'].removeprefix('Invalid JSON: ')}"
    where = ".".join(str(part) for part in issue["loc"])
    if issue["type"] == "missing":
        return f"{file}: {where} is missing"
    return f"{file}: {where or 'the file'}: {issue['msg']}"


def rigid_pose(rows: list[list[float]], where: str) -> Tensor | None:
    """Return a rigid pose (3, 4) float64 from a 4x4 or 3x4 matrix; None if it is not finite.

    A camera that was scaled evenly, as an object of a modelling program, has the pose of the unscaled one.

    Raises:
        UserError: another shape, skew, mirroring, or numbers out of float32's range; starts with ``where``.

    """
    if len(rows) not in (3, 4) or any(len(row) != 4 for row in rows):
        raise UserError(f"{where} must be 4x4 or 3x4")
    matrix = torch.tensor(rows, dtype=torch.float64)
    if not matrix.isfinite().all():
        return None
    scale = matrix[:3, :3].norm(dim=0).mean().clamp_min(1e-12)
    rotation = matrix[:3, :3] / scale
    skew = (rotation.T @ rotation - torch.eye(3, dtype=torch.float64)).abs().max()
    if torch.linalg.det(rotation) < 0 and skew <= RIGID_TOLERANCE:
        raise UserError(
            f"{where} is mirrored: its axes are left-handed; x right, y up, and the camera looks down -z"
        )
    if not skew <= RIGID_TOLERANCE or torch.linalg.det(rotation) < 0:
        raise UserError(
            f"{where} is not a rigid transform: its 3x3 part must be a rotation, without skew or mirroring"
        )
    if len(rows) == 4 and rows[3] != [0, 0, 0, 1] and [row[3] for row in rows] == [0, 0, 0, 1]:
        raise UserError(f"{where} is transposed: the position must be its last column, not its last row")
    if len(rows) == 4 and rows[3] != [0, 0, 0, 1]:
        raise UserError(f"{where} must end with the row 0, 0, 0, 1, not {rows[3]}")
    if not matrix[:3].float().isfinite().all():
        raise UserError(f"{where} has a number that is out of range")
    if (scale - 1).abs() <= RIGID_TOLERANCE:
        rotation = matrix[:3, :3]
    return torch.cat([rotation, matrix[:3, 3:]], 1)


def rotation_of(w: float, x: float, y: float, z: float) -> npt.NDArray[np.float64]:
    """Return the rotation (3, 3) of a unit quaternion."""
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def opengl_pose(matrix: npt.NDArray[np.float64], where: str) -> Tensor:
    """Return a rigid pose (3, 4) float64 with OpenGL axes from a 4x4 or 3x4 matrix with OpenCV's.

    Raises:
        UserError: as ``rigid_pose``, or it is not finite.

    """
    pose = rigid_pose(matrix.tolist(), where)
    if pose is None:
        raise UserError(f"{where} holds a number that is not finite")
    return pose * torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
