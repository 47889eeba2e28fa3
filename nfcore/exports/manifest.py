"""The manifest of an export: what it is, its origin in the run, what was measured and what was not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, JsonValue, model_validator

from nfcore.errors import UserError
from nfcore.interfaces.exported import ExportedFile
from nfcore.interfaces.exporter import Takes, Tolerance
from nfcore.io.atomic import write_json
from nfcore.io.files import inside, open_file
from nfcore.io.records import Count, Name, Number, Pixels, Record, read_record, refuse_newer
from nfcore.plugin.components import Kind

#: The manifest's file, and the other files that the core writes next to an exporter's.
MANIFEST, CARD, PICTURE = "manifest.json", "README.md", "picture.png"
OF_THE_CORE = (MANIFEST, CARD, PICTURE)

FORMAT = 2
_SHOWN = 12  # hexadecimal digits of a hash in messages


class _Record(Record):
    """A part of the manifest: unknown names are an error."""

    model_config = ConfigDict(extra="forbid")


class ContentRecord(_Record):
    """One file on disk."""

    path: Name = Field(description="Path within the export's folder, with forward slashes")
    bytes: Count = Field(description="Size")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of its content")


class ImageRecord(_Record):
    """The exported image."""

    width: Pixels = Field(description="Pixels")
    height: Pixels = Field(description="Pixels")
    pixels_per_ray: Pixels = Field(description="Pixels per ray along each side")


class ModelRecord(_Record):
    """The student or the teacher that was exported."""

    kind: Takes = Field(description="Which of the two it is")
    file: Name | None = Field(description="Name of its file; none if it was exported from memory")
    sha256: str | None = Field(description="SHA-256 of its file; none if it was exported from memory")
    scene: Name | None = Field(description="Name of the scene, if known")
    components: dict[Kind, Name] = Field(description="Its parts by kind, each with distribution and name")
    parameters: Count = Field(description="Trained parameters")
    macs: Count | None = Field(
        description="Multiply-accumulate operations of a student's image, those of convolutions and products"
    )


class ExporterRecord(_Record):
    """What made the export."""

    name: Name = Field(description="Distribution and name of the exporter")
    version: Name | None = Field(description="Version of that distribution")
    options: dict[str, JsonValue] = Field(description="All of its options, including defaults")
    nfcore: Name = Field(description="Version of nfcore")


class Parity(_Record):
    """How close the files are to torch, as measured."""

    poses: Count = Field(ge=1, description="Number of compared images, each at its own pose")
    least_psnr: Number = Field(description="Least PSNR of an image, dB; 140 means bit-equal")
    mean_psnr: Number = Field(description="Mean over the images, dB")
    max_error: Number = Field(description="Maximum difference of a colour value in [0, 1]")
    typical_error: Number | None = Field(
        default=None, description="Maximum difference but for one in 10,000 of an image's values"
    )


class PhotoQuality(_Record):
    """How close files and torch are to the photos, measured on the same photos."""

    photos: Count = Field(ge=1, description="Test photos")
    psnr: Number = Field(description="Mean PSNR of the export, dB")
    torch_psnr: Number = Field(description="Mean PSNR of torch, dB")


class Manifest(_Record):
    """All that is known of an export, in ``manifest.json`` next to its files.

    What was not measured is null, never zero. Exporting the same model again writes the same manifest, except for
    ``created`` and ``seconds``.
    """

    format: Count = Field(default=FORMAT, description="Version of this file format")
    label: Name = Field(description="Name of the export and of its folder")
    created: datetime = Field(description="When it was exported, UTC")
    model: ModelRecord = Field(description="What was exported")
    exporter: ExporterRecord = Field(description="What exported it")
    image: ImageRecord = Field(description="The image that the files render")
    precision: Name = Field(description="Precision of the network's weights and arithmetic")
    target: Name = Field(description="Target of the files: format with version, and systems")
    files: tuple[ExportedFile, ...] = Field(description="The files to run, in order")
    contents: tuple[ContentRecord, ...] = Field(description="Every file of the exporter, sorted by path")
    extras: tuple[str, ...] = Field(default=(), description="Files and folders that the files to run do without")
    tolerance: Tolerance = Field(description="How far from torch the files may be")
    verified_by: Name | None = Field(description="What ran the files; none if they were not run")
    parity: Parity | None = Field(description="Against torch; none if it was not measured")
    photos: PhotoQuality | None = Field(description="Against photos; none if it was not measured")
    not_verified: tuple[str, ...] = Field(description="What was not verified, each with the reason")
    rejected: str | None = Field(description="Why the export was rejected; none if it was delivered")
    report: dict[str, JsonValue] = Field(description="The exporter's own findings on its files")
    seconds: dict[Name, Number] = Field(description="Wall time of each part of the export")

    @model_validator(mode="before")
    @classmethod
    def _in_this_format(cls, written: Any) -> Any:
        refuse_newer(written, FORMAT)
        return _upgraded(written) if isinstance(written, dict) and written.get("format") == 1 else written

    @property
    def bytes(self) -> int:
        """Size of what a device needs: all files of the exporter but the extras."""
        return sum(content.bytes for content in self.contents) - sum(map(self.size_of, self.extras))

    def size_of(self, name: str) -> int:
        """Return the bytes of a file, or of all files in a folder."""
        return sum(c.bytes for c in self.contents if c.path == name or c.path.startswith(f"{name}/"))

    def figures(self) -> dict[str, int | float | str]:
        """Return the export's entries of ``summary.json``; what was not measured is left out."""
        figures: dict[str, int | float | str] = {"bytes": self.bytes, "precision": self.precision}
        if self.verified_by is not None:
            figures["verified_by"] = self.verified_by
        elif self.rejected is None:
            figures["not_verified"] = self.not_verified[0]
        if self.parity is not None:
            figures["psnr_vs_torch"] = self.parity.least_psnr
            figures["mean_psnr_vs_torch"] = self.parity.mean_psnr
            figures["max_error"] = self.parity.max_error
        if self.photos is not None:
            figures["psnr_vs_photos"] = self.photos.psnr
            figures["torch_psnr_vs_photos"] = self.photos.torch_psnr
        return figures

    def write(self, folder: Path) -> None:
        """Write the manifest into an export's ``folder``, atomically."""
        write_json(folder / MANIFEST, self.model_dump(mode="json"))

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Return the manifest of the export in ``folder``.

        Raises:
            UserError: it is missing or damaged, or a newer nfcore wrote it.

        """
        path = folder / MANIFEST
        if not path.exists():
            raise UserError(f"{folder}: no export here (it has no {MANIFEST}); 'nfcore export' makes one")
        return read_record(path, cls)

    def check_contents(self, folder: Path) -> None:
        """Check that the files in ``folder`` match the manifest.

        Raises:
            UserError: a file is missing or its content differs; names it.

        """
        for content in self.contents:
            path = folder / content.path
            if not inside(path, folder):
                raise UserError(f"{path}: missing, though {MANIFEST} lists it; export it again")
            if (found := sha256(path)) != content.sha256:
                raise UserError(
                    f"{path}: not the file that {MANIFEST} lists (SHA-256 {found[:_SHOWN]}..., not "
                    f"{content.sha256[:_SHOWN]}...)"
                )


def manifests(folder: Path) -> Iterator[tuple[Path, Manifest]]:
    """Yield the folder and the manifest of each export in a run's folder of exports, sorted by label."""
    for path in sorted(folder.glob(f"*/{MANIFEST}")):
        yield path.parent, Manifest.read(path.parent)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal digits."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def contents(folder: Path) -> tuple[ContentRecord, ...]:
    """Return every file below ``folder``, sorted by path."""
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    return tuple(ContentRecord(path=name, bytes=path.stat().st_size, sha256=sha256(path)) for name, path in files)


def _upgraded(written: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest of nfcore 0.1 in the current format."""
    new = dict(written) | {"format": FORMAT}
    if isinstance(student := new.pop("student", None), dict):
        parts: tuple[Kind, ...] = ("encoding", "backbone", "upsampler")
        new["model"] = {name: value for name, value in student.items() if name not in parts} | {
            "kind": "student",
            "components": {kind: student[kind] for kind in parts if kind in student},
        }
    if "floor" in new:
        new["tolerance"] = new.pop("floor")
    if isinstance(files := new.get("files"), list) and all(isinstance(file, dict) for file in files):
        new["files"] = [{name: value for name, value in file.items() if name != "bytes"} for file in files]
    return new
