"""The file format of a student: safetensors with weights, reference cameras and a card of the components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ConfigDict, Field, model_validator
from torch import Tensor

from nfcore.errors import UserError
from nfcore.io.modules import check_dtypes
from nfcore.io.records import Count, Name, Pixels, Record, parse_record, refuse_newer
from nfcore.io.tensors import read_safetensors, write_safetensors
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras, check_cameras

#: Version of the file format that is written; this version and older ones can be read.
FORMAT = 1

#: The most pixels of an image that a file may define: rendering takes hundreds of bytes of memory per pixel.
MOST_PIXELS = 1 << 25

# The card's entry in the safetensors metadata, and the tensors that are not weights.
_CARD = "nfcore"
_POSES, _INTRINSICS = "cameras.poses", "cameras.intrinsics"


class PartCard(Record):
    """One component of a student by name, with its options."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    options: dict[Name, object] = Field(default={})


class StudentCard(Record):
    """The description in a student's file, from which the student is rebuilt."""

    model_config = ConfigDict(extra="forbid")

    format: Count = Field(default=FORMAT, description="Version of this file format")
    encoding: PartCard
    backbone: PartCard
    upsampler: PartCard
    scale: Pixels
    scene: Scene
    height: Pixels
    width: Pixels

    @model_validator(mode="before")
    @classmethod
    def _of_a_known_format(cls, written: Any) -> Any:
        refuse_newer(written, FORMAT)
        return written


@dataclass(frozen=True)
class SavedStudent:
    """The contents of a student's file.

    Args:
        card: names, options, scene and image size.
        cameras: the reference cameras.
        weights: the light field's state dict.

    """

    card: StudentCard
    cameras: Cameras
    weights: Mapping[str, Tensor]


def write_student(path: Path, saved: SavedStudent) -> None:
    """Write a student's file, atomically."""
    tensors = {**saved.weights, **camera_tensors(saved.cameras)}
    write_safetensors(path, tensors, {_CARD: saved.card.model_dump_json()})


def read_student(path: Path) -> SavedStudent:
    """Return the contents of a student's file.

    Raises:
        UserError: no such file, damaged, not a student, or written by a newer nfcore.

    """
    tensors, metadata = read_safetensors(path)
    if _CARD not in metadata:
        raise UserError(f"{path}: not a student of nfcore (its metadata has no entry {_CARD!r})")
    card = parse_record(metadata[_CARD], StudentCard, str(path))
    try:
        cameras = taken_cameras(tensors, card.height, card.width)
    except UserError as error:
        raise UserError(f"{path}: damaged student: {error}") from error
    return SavedStudent(card, cameras, tensors)


def camera_tensors(cameras: Cameras) -> dict[str, Tensor]:
    """Return reference cameras as the tensors of a model's file."""
    return {_POSES: cameras.poses, _INTRINSICS: cameras.intrinsics}


def taken_cameras(tensors: dict[str, Tensor], height: int, width: int) -> Cameras:
    """Return the reference cameras among the ``tensors`` of a model's file, and remove them there.

    Raises:
        UserError: they are missing, damaged, or of images that are too large.

    """
    if height * width > MOST_PIXELS:
        raise UserError(f"images of {width}x{height} pixels: a model's own have at most {MOST_PIXELS:,}")
    missing = {_POSES, _INTRINSICS} - set(tensors)
    if missing:
        raise UserError(f"missing {', '.join(sorted(missing))}")
    poses, intrinsics = tensors.pop(_POSES), tensors.pop(_INTRINSICS)
    try:
        cameras = Cameras(poses, intrinsics, height, width)
    except (TypeError, ValueError) as error:
        raise UserError(str(error)) from error
    check_dtypes({_POSES: poses, _INTRINSICS: intrinsics}, dict.fromkeys((_POSES, _INTRINSICS), torch.float32))
    check_cameras(cameras)
    return cameras
