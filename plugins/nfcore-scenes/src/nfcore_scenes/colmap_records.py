"""The records of COLMAP's files, binary and text. Read here, as COLMAP's own reader trusts damaged counts."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nfcore import UserError
from nfcore.io import read_file
from nfcore_scenes.camera_models import CAMERA_MODELS
from nfcore_scenes.encodings import decoded
from nfcore_scenes.points import MOST_BYTES


class CameraRecord(NamedTuple):
    """A line of cameras.txt."""

    number: int
    model: str
    width: int
    height: int
    params: tuple[float, ...]


class ImageRecord(NamedTuple):
    """A line of images.txt: rotation (w, x, y, z) and translation, world to camera."""

    number: int
    rotation: tuple[float, ...]
    translation: tuple[float, ...]
    camera: int
    name: str


class PointRecord(NamedTuple):
    """A line of points3D.txt; ``images`` are the numbers of those that see the point."""

    position: tuple[float, float, float]
    colour: tuple[int, int, int]
    error: float
    images: tuple[int, ...]


#: COLMAP's name and number of parameters of each camera model, by its number.
_MODELS = {model.number: (name, model.parameters) for name, model in CAMERA_MODELS.items()}


def read_cameras(file: Path) -> list[CameraRecord]:
    """Return the cameras of cameras.bin or cameras.txt.

    Raises:
        UserError: the file is missing, damaged, or has an unknown camera model; as the two below.

    """
    return list(_cameras(_Binary.of(file)) if file.suffix == ".bin" else _text_cameras(file))


def read_images(file: Path) -> list[ImageRecord]:
    """Return the images of images.bin or images.txt."""
    return list(_images(_Binary.of(file)) if file.suffix == ".bin" else _text_images(file))


def read_points3d(file: Path) -> list[PointRecord]:
    """Return the points of points3D.bin or points3D.txt."""
    return list(_points(_Binary.of(file)) if file.suffix == ".bin" else _text_points(file))


# -- binary ------------------------------------------------------------------------------------------------


@dataclass
class _Binary:
    """A binary file of COLMAP, read from the front."""

    file: Path
    data: bytes
    at: int = 0

    @classmethod
    def of(cls, file: Path) -> _Binary:
        return cls(file, read_file(file, MOST_BYTES))

    def take(self, kind: str) -> tuple[float, ...]:
        start = self.at
        self.skip(struct.calcsize(kind))
        return struct.unpack_from(kind, self.data, start)

    def count(self) -> int:
        return int(self.take("<Q")[0])

    def skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self.data):
            raise UserError(
                f"{self.file} is damaged or cut off: {len(self.data)} bytes, but at least {self.at} are required"
            )

    def text(self) -> str:
        end = self.data.find(b"\0", self.at)
        if end < 0:
            self.skip(len(self.data) + 1)
        name = decoded(self.data[self.at : end])
        self.at = end + 1
        return name


def _cameras(binary: _Binary) -> Iterator[CameraRecord]:
    for _ in range(binary.count()):
        number, model, width, height = map(int, binary.take("<IiQQ"))
        if model not in _MODELS:
            raise UserError(f"{binary.file}: camera model number {model} is unknown; known are {sorted(_MODELS)}")
        name, count = _MODELS[model]
        yield CameraRecord(number, name, width, height, binary.take(f"<{count}d"))


def _images(binary: _Binary) -> Iterator[ImageRecord]:
    for _ in range(binary.count()):
        number, *pose, camera = binary.take("<I7dI")
        yield ImageRecord(int(number), tuple(pose[:4]), tuple(pose[4:]), int(camera), binary.text())
        binary.skip(24 * binary.count())


def _points(binary: _Binary) -> Iterator[PointRecord]:
    for _ in range(binary.count()):
        _, x, y, z, red, green, blue, error, length = binary.take("<Q3d3BdQ")
        start = binary.at
        binary.skip(8 * int(length))
        seen = struct.unpack_from(f"<{2 * int(length)}I", binary.data, start)[::2]
        yield PointRecord((x, y, z), (int(red), int(green), int(blue)), error, seen)


# -- text --------------------------------------------------------------------------------------------------


class _Lines:
    """The lines of a text file of COLMAP that are no comments; remembers where it is, for errors."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lines = decoded(read_file(file, MOST_BYTES)).splitlines()
        self.at = 0

    def __iter__(self) -> Iterator[str]:
        while self.at < len(self.lines):
            self.at += 1
            line = self.lines[self.at - 1]
            if line.strip() and not line.lstrip().startswith("#"):
                yield line

    @contextmanager
    def named(self) -> Iterator[None]:
        """Name the line that is wrong."""
        try:
            yield
        except (ValueError, IndexError, OverflowError):
            line = self.lines[self.at - 1][:60]
            raise UserError(f"{self.file} is damaged or cut off: line {self.at} is {line!r}") from None


def _text_cameras(file: Path) -> Iterator[CameraRecord]:
    lines = _Lines(file)
    with lines.named():
        for line in lines:
            number, model, width, height, *params = line.split()
            yield CameraRecord(int(number), model, int(width), int(height), tuple(map(float, params)))


def _text_images(file: Path) -> Iterator[ImageRecord]:
    lines = _Lines(file)
    with lines.named():
        for line in lines:
            fields = line.split(None, 9)
            pose = tuple(map(float, fields[1:8]))
            yield ImageRecord(int(fields[0]), pose[:4], pose[4:], int(fields[8]), fields[9].strip())
            # The next line holds observations and may be blank; programs that know none leave it out.
            if lines.at < len(lines.lines) and not _is_image(lines.lines[lines.at]):
                lines.at += 1


def _is_image(line: str) -> bool:
    """Whether a line is an image's, which ends with a name: observations are three numbers each."""
    fields = line.split()
    if len(fields) < 10:
        return False
    try:
        float(fields[-1])
    except ValueError:
        return True
    return len(fields) % 3 != 0


def _text_points(file: Path) -> Iterator[PointRecord]:
    lines = _Lines(file)
    with lines.named():
        for line in lines:
            fields = line.split()
            x, y, z = map(float, fields[1:4])
            red, green, blue = (int(value) & 255 for value in fields[4:7])
            yield PointRecord((x, y, z), (red, green, blue), float(fields[7]), tuple(map(int, fields[8::2])))
