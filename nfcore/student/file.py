"""The file format of a student: safetensors with weights, reference cameras and a card of the components."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from nfcore.errors import UserError
from nfcore.io.tensors import read_safetensors, write_safetensors
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras

#: Version of the file format that is written; this version and older ones can be read.
FORMAT = 1

# The card's entry in the safetensors metadata, and the tensors that are not weights.
_CARD = "nfcore"
_POSES, _INTRINSICS = "cameras.poses", "cameras.intrinsics"


class PartCard(BaseModel):
    """One component of a student by name, with its options."""

    model_config = ConfigDict(extra="forbid")

    name: str
    options: dict[str, object] = {}


class StudentCard(BaseModel):
    """The description in a student's file, from which the student is rebuilt."""

    model_config = ConfigDict(extra="forbid")

    format: int = Field(default=FORMAT, description="Version of this file format")
    encoding: PartCard
    backbone: PartCard
    upsampler: PartCard
    scale: int
    scene: Scene
    height: int
    width: int


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
    cameras = {_POSES: saved.cameras.poses, _INTRINSICS: saved.cameras.intrinsics}
    write_safetensors(path, {**saved.weights, **cameras}, {_CARD: saved.card.model_dump_json()})


def read_student(path: Path) -> SavedStudent:
    """Return the contents of a student's file.

    Raises:
        UserError: no such file, damaged, not a student, or written by a newer nfcore.

    """
    tensors, metadata = read_safetensors(path)
    card = _read_card(metadata, path)
    missing = {_POSES, _INTRINSICS} - set(tensors)
    if missing:
        raise UserError(f"{path}: damaged student: missing {', '.join(sorted(missing))}")
    poses, intrinsics = tensors.pop(_POSES), tensors.pop(_INTRINSICS)
    try:
        cameras = Cameras(poses, intrinsics, card.height, card.width)
    except (UserError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged student: {error}") from error
    return SavedStudent(card, cameras, tensors)


def _read_card(metadata: Mapping[str, str], path: Path) -> StudentCard:
    if _CARD not in metadata:
        raise UserError(f"{path}: not a student of nfcore (its metadata has no entry {_CARD!r})")
    try:
        written = json.loads(metadata[_CARD])
        if written["format"] > FORMAT:  # before its fields are checked: a newer format may have others
            raise UserError(
                f"{path}: written by a newer nfcore (format {written['format']}, this one reads {FORMAT})"
            )
        return StudentCard.model_validate(written)
    except ValidationError as error:
        raise UserError(f"{path}: damaged student: {error.errors()[0]['msg']}") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UserError(f"{path}: damaged student: its card is not JSON with a format") from None
