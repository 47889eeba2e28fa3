"""Camera paths on disk: nfcore's own JSON, nerfstudio's, and the way from nerfstudio's world to the data set's."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import Tensor

from nfcore.errors import UserError
from nfcore.io.atomic import write_json
from nfcore.options import parse
from nfcore.scene.cameras import Cameras

# Beyond float32's reach a number becomes infinite; no scene and no picture needs one near it.
Number = Annotated[float, Field(ge=-1e9, le=1e9)]
Pixels = Annotated[int, Field(ge=1, le=16384)]
Row = tuple[Number, Number, Number, Number]
#: How far R^T R may be from the identity: files that round to three digits pass, a scaled matrix does not.
_RIGID = 0.01
_LAST_ROW = (0.0, 0.0, 0.0, 1.0)


class CameraFrame(BaseModel):
    """One camera of a path."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    pose: tuple[Row, Row, Row] = Field(
        description="Camera to world, the first three rows of the matrix; OpenGL axes: x right, y up, the camera "
        "looks down -z; scene units. A fourth row (0, 0, 0, 1) may follow"
    )
    intrinsics: Row | None = Field(
        None,
        description="fx, fy, cx, cy in pixels of the path's size; else the path's, else the student's own",
    )

    @field_validator("pose", mode="before")
    @classmethod
    def _three_rows(cls, pose: Any) -> Any:
        if isinstance(pose, list) and len(pose) == 4:
            if list(pose[3]) != list(_LAST_ROW):
                raise ValueError("a fourth row must be (0, 0, 0, 1)")
            return pose[:3]
        return pose

    @field_validator("pose", mode="after")
    @classmethod
    def _rigid(cls, pose: tuple[Row, Row, Row]) -> tuple[Row, Row, Row]:
        check_rotation(torch.tensor(pose, dtype=torch.float64)[:, :3])
        return pose

    @field_validator("intrinsics", mode="after")
    @classmethod
    def _focal(cls, intrinsics: Row | None) -> Row | None:
        if intrinsics is not None and not (intrinsics[0] > 0 and intrinsics[1] > 0):
            raise ValueError("the focal lengths fx and fy must be positive")
        return intrinsics


class CameraPathFile(BaseModel):
    """A camera path: the cameras in their order, with the size and the focus that they share.

    ``nfcore render --format png`` writes one as ``cameras.json`` beside its pictures.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    height: Pixels | None = Field(None, description="Picture height in pixels; the student's own without it")
    width: Pixels | None = Field(None, description="Picture width in pixels; the student's own without it")
    fps: float = Field(30.0, gt=0, le=1000, description="Frames per second of a video")
    intrinsics: Row | None = Field(
        None, description="fx, fy, cx, cy in pixels of the path's size, of frames that have none of their own"
    )
    depth_unit: float | None = Field(
        None, gt=0, description="Scene units per step of 16-bit depth pictures that lie beside this file"
    )
    frames: list[CameraFrame] = Field(min_length=1, description="The cameras in their order")

    @model_validator(mode="after")
    def _sized(self) -> CameraPathFile:
        if (self.height is None) != (self.width is None):
            raise ValueError("height and width come together")
        if self.height is None and (self.intrinsics or any(frame.intrinsics for frame in self.frames)):
            raise ValueError("intrinsics are pixels of a size: give height and width too")
        return self


class NerfstudioFrame(BaseModel):
    """One camera of a nerfstudio camera path; what else it holds is left alone."""

    model_config = ConfigDict(allow_inf_nan=False)

    camera_to_world: list[Number] = Field(min_length=16, max_length=16)
    fov: float = Field(gt=0, lt=180)

    @field_validator("camera_to_world", mode="before")
    @classmethod
    def _flat(cls, matrix: Any) -> Any:
        nested = isinstance(matrix, list) and matrix and all(isinstance(row, list) for row in matrix)
        return [value for row in matrix for value in row] if nested else matrix

    @field_validator("camera_to_world", mode="after")
    @classmethod
    def _rigid(cls, matrix: list[float]) -> list[float]:
        rows = torch.tensor(matrix, dtype=torch.float64).reshape(4, 4)
        if rows[3].tolist() != list(_LAST_ROW):
            raise ValueError("the last four numbers must be 0, 0, 0, 1: the matrix is row by row")
        check_rotation(rows[:3, :3])
        return matrix


class NerfstudioPath(BaseModel):
    """What nerfstudio's viewer and its Blender add-on save as a camera path.

    ``camera_to_world`` is row by row with OpenGL axes, ``fov`` the vertical field of view in degrees (nerfstudio,
    ``cameras/camera_paths.py``, ``get_path_from_json``).
    """

    model_config = ConfigDict(allow_inf_nan=False)

    camera_type: Literal["perspective"] = "perspective"
    render_height: Pixels
    render_width: Pixels
    fps: float = Field(30.0, gt=0, le=1000)
    camera_path: list[NerfstudioFrame] = Field(min_length=1)


class DataparserTransforms(BaseModel):
    """``dataparser_transforms.json`` of a nerfstudio run: from the original data's world into nerfstudio's."""

    transform: tuple[Row, Row, Row]
    scale: float = Field(gt=0)


class AppliedTransform(BaseModel):
    """What ``transforms.json`` says of how its poses came out of the original data."""

    applied_transform: tuple[Row, Row, Row]
    # nerfstudio puts another one into its own scale but not into its shift: its file is then no way back.
    applied_scale: Literal[1] = 1


@dataclass(frozen=True)
class CameraPath:
    """Cameras in the order in which a video shows them.

    Args:
        poses: (n, 3, 4) float32, camera to world, OpenGL axes.
        intrinsics: (n, 4) float32 pixels of ``size``, or None for the student's own.
        size: height and width in pixels, or None for the student's own.
        fps: frames per second.

    """

    poses: Tensor
    intrinsics: Tensor | None
    size: tuple[int, int] | None
    fps: float = 30.0

    def cameras(self, own: Cameras) -> Cameras:
        """Return the cameras; what the path leaves open is as the first of ``own`` has it."""
        n = len(self.poses)
        if self.size is None:
            return Cameras(self.poses, own.intrinsics[:1].expand(n, -1), own.height, own.width)
        height, width = self.size
        if self.intrinsics is None:
            return Cameras(self.poses, own[0].resized(height, width).intrinsics.expand(n, -1), height, width)
        return Cameras(self.poses, self.intrinsics, height, width)


def read_path(path: Path, worlds: Sequence[Path] = ()) -> CameraPath:
    """Return the camera path in a JSON file of nfcore's own form (`CameraPathFile`) or of nerfstudio's.

    Args:
        path: the file.
        worlds: for a nerfstudio path, ``dataparser_transforms.json`` of the run that it was made with, to bring it
            back into the world of the original data; and ``transforms.json`` of the scene, where the photos' poses
            are not those of the original data (``applied_transform``).

    Raises:
        UserError: not such a file, or one with a matrix that is no pose; says which frame.

    """
    values = _read_json(path)
    if "camera_path" not in values:
        if worlds:
            raise UserError(f"{path}: is in the data set's world already: only a nerfstudio path needs --world")
        return _own(parse(CameraPathFile, values, str(path)), path)
    if (kind := values.get("camera_type", "perspective")) != "perspective":
        raise UserError(f"{path}: camera_type is {kind!r}: only 'perspective' can be rendered")
    read = parse(NerfstudioPath, values, str(path))
    height, width = read.render_height, read.render_width
    poses = torch.tensor([frame.camera_to_world for frame in read.camera_path]).reshape(-1, 4, 4)[:, :3]
    focal = torch.tensor([height / 2 / math.tan(math.radians(frame.fov) / 2) for frame in read.camera_path])
    centre = torch.tensor([width / 2, height / 2]).expand(len(poses), -1)
    intrinsics = torch.cat([focal[:, None], focal[:, None], centre], 1)
    for world in worlds:
        poses = _moved(poses, world)
    return CameraPath(poses, intrinsics, (height, width), read.fps)


def write_path(path: Path, cameras: Cameras, fps: float, depth_unit: float | None = None) -> None:
    """Write ``cameras`` as a camera path of nfcore's own form, atomically."""
    frames = [
        {"pose": pose.tolist(), "intrinsics": intrinsics.tolist()}
        for pose, intrinsics in zip(cameras.poses, cameras.intrinsics, strict=True)
    ]
    unit = {} if depth_unit is None else {"depth_unit": depth_unit}
    write_json(path, {"height": cameras.height, "width": cameras.width, "fps": fps, **unit, "frames": frames})


def check_rotation(rotation: Tensor) -> None:
    """Raise a ValueError that says what is wrong with (3, 3) if it turns nothing: scaled, skewed or mirrored."""
    error = float((rotation.T @ rotation - torch.eye(3, dtype=rotation.dtype)).abs().max())
    if not error < _RIGID:
        raise ValueError(f"its first three columns are no rotation (R^T R is {error:.2g} off the identity)")
    if torch.det(rotation) < 0:
        raise ValueError("its first three columns mirror (determinant -1): x is right, y up, -z forwards")


def _own(read: CameraPathFile, path: Path) -> CameraPath:
    poses = torch.tensor([frame.pose for frame in read.frames])
    if read.height is None or read.width is None:
        return CameraPath(poses, None, None, read.fps)
    size = read.height, read.width
    intrinsics = [frame.intrinsics or read.intrinsics for frame in read.frames]
    if not any(intrinsics):
        return CameraPath(poses, None, size, read.fps)
    if None in intrinsics:
        raise UserError(f"{path}: frame {intrinsics.index(None)} has no intrinsics, and the path has none for all")
    return CameraPath(poses, torch.tensor(intrinsics), size, read.fps)


def _moved(poses: Tensor, world: Path) -> Tensor:
    """Return ``poses`` (n, 3, 4) in the world that one of nerfstudio's two files leads to."""
    values = _read_json(world)
    if "applied_transform" in values:
        known = {name: value for name, value in values.items() if name in AppliedTransform.model_fields}
        applied = parse(AppliedTransform, known, str(world))
        rotation, shift = _parts(applied.applied_transform, world)
        eyes = poses[:, :, 3] @ rotation.T + shift
    elif "transform" in values:
        undone = parse(DataparserTransforms, values, str(world))
        forwards, shift = _parts(undone.transform, world)
        rotation = forwards.T
        eyes = (poses[:, :, 3] / undone.scale - shift) @ forwards
    else:
        raise UserError(
            f"{world}: neither a dataparser_transforms.json (it has no 'transform') nor a transforms.json with an "
            f"'applied_transform'"
        )
    return torch.cat([rotation @ poses[:, :, :3], eyes[:, :, None]], 2)


def _parts(rows: tuple[Row, Row, Row], path: Path) -> tuple[Tensor, Tensor]:
    matrix = torch.tensor(rows)
    try:
        check_rotation(matrix[:, :3])
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    return matrix[:, :3], matrix[:, 3]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; a path is orbit, spiral, test, reference or a JSON file") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}: a camera path is a JSON file") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON: {str(error).splitlines()[0]}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: a camera path is a JSON object with frames, not a {type(values).__name__}")
    return values
