"""The worker process's job and its results: JSON that crosses the process boundary."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

import nfcore


class JobCamera(nfcore.Options):
    """A camera that one or several photos share."""

    model: str = Field(description="COLMAP's name of the lens model")
    height: int = Field(description="Height of the full photos, pixels")
    width: int = Field(description="Width of the full photos, pixels")
    focal: float = Field(description="Focal length to start from, pixels of the full photos")
    known: bool = Field(description="Whether EXIF says that focal length")


class JobPhoto(nfcore.Options):
    """A photo, and the copy of it in which features are found."""

    name: str = Field(description="Its name in the data set")
    camera: int = Field(description="Index of its camera")
    height: int = Field(description="Height of the copy, pixels")
    width: int = Field(description="Width of the copy, pixels")


class Job(nfcore.Options):
    """All that the worker needs, in ``job.json`` in its folder."""

    cameras: tuple[JobCamera, ...] = Field(description="The cameras")
    photos: tuple[JobPhoto, ...] = Field(description="The photos; the copy of the first is copies/00000.jpg")
    masked: tuple[int, ...] = Field((), description="Indices of the photos that have masks")
    sequential: bool = Field(description="Whether neighbours in order are neighbours in space")
    exhaustive: bool = Field(description="Whether all pairs are compared, however many")
    seed: int = Field(description="Seed of all random choices")
    threads: int = Field(description="CPU threads")


class Event(nfcore.Options):
    """How far the worker is, or its one-line outcome."""

    stage: str = Field("", description="features, matching, mapping, mapping neighbours or mapping again")
    unit: str = Field("", description="What is counted")
    done: int = Field(0, description="How many are done")
    total: int = Field(0, description="How many there are")
    failure: str | None = Field(None, description="Why there are no poses; ends the worker")


class Posed(nfcore.Options):
    """What was posed, in ``poses.json`` in the data set."""

    photos: int = Field(description="Photos that were given")
    registered: int = Field(description="Photos with a pose")
    unregistered: tuple[str, ...] = Field(description="Names of the photos without a pose")
    error: float = Field(description="Mean reprojection error, pixels of the copies")
    error_at: int = Field(description="Longer side of the copies, pixels")
    points: int = Field(description="Points in space")
    cameras: int = Field(description="Cameras with their own focal length")
    advice: tuple[str, ...] = Field((), description="What would pose the rest")


def copy_name(index: int) -> str:
    """Return the name of a photo's copy, which COLMAP reads: plain, whatever the photo's own name is."""
    return f"{index:05}.jpg"


#: Folders and files in the worker's folder.
COPIES, MASKS, MODEL = Path("copies"), Path("masks"), Path("model")
JOB, DATABASE = Path("job.json"), Path("database.db")
