"""The offers of a plugin, described by data so that listing them imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Kind = Literal["ray_source", "teacher", "encoding", "backbone", "upsampler", "exporter", "loss"]

#: All component kinds.
KINDS: tuple[Kind, ...] = get_args(Kind)

#: The current level of each interface. A change that breaks implementations raises it by one; then
#: ``python tests/interface_signatures.py`` updates the recorded signatures.
INTERFACE_LEVELS: dict[Kind, int] = {
    "ray_source": 2,  # 2: sparse points; views with ignore masks and metadata; photos are read on demand
    "teacher": 2,  # 2: rays with a footprint, whole views, several threads; photos that are read on demand
    "encoding": 2,  # 2: prepared with cameras too; deployed to a target
    "backbone": 1,
    "upsampler": 1,
    "exporter": 2,  # 2: says what it wrote; loads with a number of threads
    "loss": 1,
}


@dataclass(frozen=True)
class Component:
    """One implementation of an interface, imported on first use.

    Args:
        kind: which interface it implements.
        name: how users call it; lower case, words joined by dashes.
        target: where the class is, ``"package.module:Class"``.
        summary: one line for listings.
        level: the interface level that the class was written for, by ``INTERFACE_LEVELS`` at that time. A
            component of another level is listed with what to install; its code is not imported.
        markers: of a ray source, files by which it recognises its folders, relative to them; one is enough.
        suffixes: of a ray source that makes a scene of plain files, such as ``(".jpg", ".mp4")``: their suffixes
            in lower case. It reads a file that has one, and a folder of such files in which no marker was found.

    """

    kind: Kind
    name: str
    target: str
    summary: str = ""
    level: int = 1
    markers: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A named pipeline: a TOML file in which components are chosen by name.

    Args:
        name: how users call it.
        path: the TOML file.
        summary: one line for listings.

    """

    name: str
    path: Path
    summary: str = ""


@dataclass(frozen=True)
class Publication:
    """Published figures to compare with: a TOML file with the protocol and the tables.

    ``nfcore.evaluation.publications`` describes the file.

    Args:
        name: how users call it and its evaluation protocol.
        path: the TOML file.
        summary: one line for listings, such as title, authors and venue.

    """

    name: str
    path: Path
    summary: str = ""
