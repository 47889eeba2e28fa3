"""Cameras for views of a file: around its extent, or those that it was made with."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from torch import Tensor

from nfcore import Cameras, OrbitRegion, UserError
from nfcore.io import read_json
from nfcore.scene import Vector, read_path

#: The golden angle as a share of a turn: views on a spiral with it are spread evenly.
_GOLDEN = (math.sqrt(5) - 1) / 2
_LEAST = 3
# R^T R of a rotation that was printed with few digits is this far from the identity, at most.
_RIGID = 0.01
_Focus = Annotated[float, Field(gt=0, le=1e9)]


class _Photo(BaseModel):
    """A camera of ``cameras.json`` as the reference code writes it; axes are x right, y down, z forwards."""

    model_config = ConfigDict(allow_inf_nan=False)

    width: int = Field(ge=1, le=1 << 16)
    height: int = Field(ge=1, le=1 << 16)
    position: Vector
    rotation: tuple[Vector, Vector, Vector]
    fx: _Focus
    fy: _Focus

    @field_validator("rotation")
    @classmethod
    def _rigid(cls, rotation: tuple[Vector, Vector, Vector]) -> tuple[Vector, Vector, Vector]:
        matrix = torch.tensor(rotation)
        if not float((matrix.T @ matrix - torch.eye(3)).abs().max()) < _RIGID or torch.linalg.det(matrix) < 0:
            raise ValueError("it is no rotation")
        return rotation


def around(region: OrbitRegion, count: int, turn: float, field_of_view: float, side: int) -> Cameras:
    """Return ``count`` cameras on a spiral around a target that begins at ``turn``, as a share of a turn."""
    order = torch.arange(count, dtype=torch.float32)
    azimuth = 2 * math.pi * (turn + order * _GOLDEN)
    low, high = region.height
    heights = low + (high - low) * (order + 0.5) / max(count, 1)
    return lens(region.poses(azimuth, heights, torch.full((count,), region.radius[0])), field_of_view, side)


def lens(poses: Tensor, field_of_view: float, side: int) -> Cameras:
    """Return cameras of square images with a field of view in degrees."""
    focal = 0.5 * side / math.tan(math.radians(field_of_view) / 2)
    intrinsics = torch.tensor([focal, focal, side / 2, side / 2]).repeat(len(poses), 1)
    return Cameras(poses.float(), intrinsics, side, side)


def read_cameras(path: Path, own: Cameras) -> Cameras:
    """Return the cameras of a ``cameras.json`` of the reference code, or of a camera path of nfcore or nerfstudio.

    Args:
        path: the file.
        own: whose size and lens a path has that says none.

    Raises:
        UserError: the file is missing or of another kind, or has fewer than three cameras.

    """
    values = read_json(path)
    cameras = _photos(values, path) if isinstance(values, list) else read_path(path).cameras(own)
    if len(cameras) < _LEAST:
        raise UserError(f"{path}: has {len(cameras)} cameras: at least {_LEAST} are needed")
    return cameras


def _photos(values: list[Any], path: Path) -> Cameras:
    try:
        photos = TypeAdapter(list[_Photo]).validate_python(values)
    except ValidationError as error:
        issue = error.errors()[0]
        place = ".".join(map(str, issue["loc"]))
        raise UserError(f"{path}: no cameras of 3D Gaussians: {place}: {issue['msg']}") from None
    if not photos:
        raise UserError(f"{path}: has no cameras")
    first = photos[0]
    poses, intrinsics = [], []
    for photo in photos:
        # From x right, y down, z forwards to x right, y up, z backwards.
        rotation = torch.tensor(photo.rotation) * torch.tensor([1.0, -1, -1])
        poses.append(torch.cat([rotation, torch.tensor(photo.position)[:, None]], 1))
        factor = first.width / photo.width
        focus = [factor * photo.fx, factor * photo.fy]
        intrinsics.append(torch.tensor([*focus, first.width / 2, first.height / 2]))
    return Cameras(torch.stack(poses), torch.stack(intrinsics), first.height, first.width)
