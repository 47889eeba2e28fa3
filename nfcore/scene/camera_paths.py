"""Camera path files: nfcore's own JSON and nerfstudio's, which is transformed to the data set's world."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import Tensor

from nfcore.errors import UserError
from nfcore.io.atomic import write_json
from nfcore.io.json_files import read_json
from nfcore.io.records import Pixels
from nfcore.options import parse
from nfcore.scene.cameras import RIGID, Cameras

# Numbers beyond the range of float32 would become infinite; no scene needs one even near it.
Number = Annotated[float, Field(ge=-1e9, le=1e9)]
#: More than an hour of video at 30 frames per second.
MOST_FRAMES = 1 << 17
Row = tuple[Number, Number, Number, Number]
# Shorter or narrower than any lens: images would have more pixels than numbers can tell.
_LEAST_FOCAL, _LEAST_FOV = 1e-3, 1e-3


def _checked_lens(intrinsics: Row) -> Row:
    if not min(intrinsics[:2]) >= _LEAST_FOCAL:
        raise ValueError(f"the focal lengths fx and fy must be positive, {_LEAST_FOCAL} pixels or more")
    return intrinsics


Lens = Annotated[Row, AfterValidator(_checked_lens)]
_LAST_ROW = (0.0, 0.0, 0.0, 1.0)


class CameraFrame(BaseModel):
    """One camera of a path."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    pose: tuple[Row, Row, Row] = Field(
        description="Camera to world, the first three rows of the matrix; OpenGL axes: x right, y up, the camera "
        "looks down -z; scene units. A fourth row (0, 0, 0, 1) may follow"
    )
    intrinsics: Lens | None = Field(
        None,
        description="fx, fy, cx, cy in pixels of the path's size; by default the path's, else the student's own",
    )

    @field_validator("pose", mode="before")
    @classmethod
    def _three_rows(cls, pose: Any) -> Any:
        if isinstance(pose, list) and len(pose) == 4:
            if pose[3] != list(_LAST_ROW):
                raise ValueError("a fourth row must be (0, 0, 0, 1)")
            return pose[:3]
        return pose

    @field_validator("pose", mode="after")
    @classmethod
    def _rigid(cls, pose: tuple[Row, Row, Row]) -> tuple[Row, Row, Row]:
        check_rotation(torch.tensor(pose, dtype=torch.float64)[:, :3])
        return pose


class CameraPathFile(BaseModel):
    """A camera path: the cameras in order, with the image size and the intrinsics that they share.

    ``nfcore render --format png`` writes one as ``cameras.json`` next to its pictures.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    height: Pixels | None = Field(None, description="Picture height in pixels; by default the student's own")
    width: Pixels | None = Field(None, description="Picture width in pixels; by default the student's own")
    fps: float = Field(30.0, gt=0, le=1000, description="Frames per second of a video")
    intrinsics: Lens | None = Field(
        None, description="fx, fy, cx, cy in pixels of the path's size, of frames that have none of their own"
    )
    depth_unit: float | None = Field(
        None, gt=0, description="Scene units per step of 16-bit depth pictures next to this file"
    )
    frames: list[CameraFrame] = Field(
        min_length=1, max_length=MOST_FRAMES, description="The cameras in their order"
    )

    @model_validator(mode="after")
    def _sized(self) -> CameraPathFile:
        if (self.height is None) != (self.width is None):
            raise ValueError("height and width must be set together")
        if self.height is None and (self.intrinsics or any(frame.intrinsics for frame in self.frames)):
            raise ValueError("intrinsics are in pixels: set height and width too")
        return self


class NerfstudioFrame(BaseModel):
    """One camera of a nerfstudio camera path; its other keys are ignored."""

    model_config = ConfigDict(allow_inf_nan=False)

    camera_to_world: list[Number] = Field(min_length=16, max_length=16)
    fov: float = Field(ge=_LEAST_FOV, lt=180)

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
    """A camera path as nerfstudio's viewer and its Blender add-on save it.

    ``camera_to_world`` is row by row with OpenGL axes, ``fov`` the vertical field of view in degrees (nerfstudio,
    ``cameras/camera_paths.py``, ``get_path_from_json``).
    """

    model_config = ConfigDict(allow_inf_nan=False)

    camera_type: Literal["perspective"] = "perspective"
    render_height: Pixels
    render_width: Pixels
    fps: float = Field(30.0, gt=0, le=1000)
    camera_path: list[NerfstudioFrame] = Field(min_length=1, max_length=MOST_FRAMES)


class DataparserTransforms(BaseModel):
    """``dataparser_transforms.json`` of a nerfstudio run: from the original data's world into nerfstudio's."""

    transform: tuple[Row, Row, Row]
    scale: float = Field(gt=0)


class AppliedTransform(BaseModel):
    """How the poses in a ``transforms.json`` were derived from the original data."""

    applied_transform: tuple[Row, Row, Row]
    # nerfstudio applies any other scale to its own scale, but not to its translation: it can't be inverted.
    applied_scale: Literal[1] = 1


@dataclass(frozen=True)
class CameraPath:
    """Cameras in the order in which a video shows them.

    Args:
        poses: (n, 3, 4) float32, camera to world, OpenGL axes.
        intrinsics: (n, 4) float32 pixels of ``size``, or None for the student's own.
        size: height and width in pixels, or None for the student's own.
        fps: frames per second.

    >>> camera = nfcore.Cameras(torch.eye(4)[None, :3], torch.tensor([[8.0, 8.0, 4.0, 3.0]]), height=6, width=8)
    >>> path = CameraPath(torch.eye(4)[:3].expand(30, 3, 4), intrinsics=None, size=None)
    >>> path.cameras(camera)
    Cameras(30 of 6x8)

    """

    poses: Tensor
    intrinsics: Tensor | None
    size: tuple[int, int] | None
    fps: float = 30.0

    def cameras(self, own: Cameras) -> Cameras:
        """Return the cameras; what the path does not set is taken from the first of ``own``."""
        n = len(self.poses)
        if self.size is None:
            return Cameras(self.poses, own.intrinsics[:1].expand(n, -1), own.height, own.width)
        height, width = self.size
        if self.intrinsics is None:
            return Cameras(self.poses, own[0].resized(height, width).intrinsics.expand(n, -1), height, width)
        return Cameras(self.poses, self.intrinsics, height, width)


def read_path(path: Path, worlds: Sequence[Path] = ()) -> CameraPath:
    """Return the camera path in a JSON file of nfcore's own format (`CameraPathFile`) or of nerfstudio's.

    Args:
        path: the file.
        worlds: for a nerfstudio path, ``dataparser_transforms.json`` of the run that it was made with, which
            leads back to the world of the original data; and ``transforms.json`` of the scene, if the photos'
            poses are not those of the original data (``applied_transform``).

    Raises:
        UserError: not such a file, or a matrix that is not a pose; names the frame.

    """
    values = _read_json(path)
    if "camera_path" not in values:
        if worlds:
            raise UserError(f"{path} is already in the data set's world: only a nerfstudio path needs --world")
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
        poses = _transformed(poses, world)
    return CameraPath(poses, intrinsics, (height, width), read.fps)


def write_path(path: Path, cameras: Cameras, fps: float, depth_unit: float | None = None) -> None:
    """Write ``cameras`` as a camera path of nfcore's own format, atomically.

    >>> camera = nfcore.Cameras(torch.eye(4)[None, :3], torch.tensor([[8.0, 8.0, 4.0, 3.0]]), height=6, width=8)
    >>> write_path(Path("path.json"), camera, fps=24)
    >>> read_path(Path("path.json")).fps
    24.0
    """
    frames = [
        {"pose": pose.tolist(), "intrinsics": intrinsics.tolist()}
        for pose, intrinsics in zip(cameras.poses, cameras.intrinsics, strict=True)
    ]
    unit = {} if depth_unit is None else {"depth_unit": depth_unit}
    write_json(path, {"height": cameras.height, "width": cameras.width, "fps": fps, **unit, "frames": frames})


def check_rotation(rotation: Tensor) -> None:
    """Raise a ValueError if a matrix (3, 3) is not a rotation: it says whether it scales, skews or mirrors."""
    error = float((rotation.T @ rotation - torch.eye(3, dtype=rotation.dtype)).abs().max())
    if not error < RIGID:
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
        raise UserError(f"{path}: frame {intrinsics.index(None)} has no intrinsics, and the path has none either")
    return CameraPath(poses, torch.tensor(intrinsics), size, read.fps)


def _transformed(poses: Tensor, world: Path) -> Tensor:
    """Return ``poses`` (n, 3, 4) transformed by one of nerfstudio's two files."""
    values = _read_json(world)
    if "applied_transform" in values:
        known = {name: value for name, value in values.items() if name in AppliedTransform.model_fields}
        applied = parse(AppliedTransform, known, str(world))
        rotation, shift = _parts(applied.applied_transform, world)
        eyes = poses[:, :, 3] @ rotation.T + shift
    elif "transform" in values:
        inverted = parse(DataparserTransforms, values, str(world))
        forwards, shift = _parts(inverted.transform, world)
        rotation = forwards.T
        eyes = (poses[:, :, 3] / inverted.scale - shift) @ forwards
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
    if not path.exists():
        raise UserError(f"{path}: no such file; a path is orbit, spiral, test, reference or a JSON file")
    values = read_json(path)
    if not isinstance(values, dict):
        raise UserError(f"{path}: a camera path is a JSON object with frames, not a {type(values).__name__}")
    return values
