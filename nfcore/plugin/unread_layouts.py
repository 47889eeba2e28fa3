"""What to do with a folder that no ray source reads: the next step, by what is in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

#: Files that show what a folder holds, by a pattern, and the next step; PATH is the folder.
_STEPS = (
    ("*.zip", "unpack {file} first: unzip {file} -d {folder}"),
    ("*.r3d", "{file} is Record3D's archive; unpack it: unzip {file} -d {folder}"),
    (
        "cameras.sfm",
        "Meshroom: ConvertSfMFormat to a COLMAP model, or pose the photos again: nfcore pose {folder}",
    ),
    (
        "*.xml",
        "Metashape: ns-process-data metashape --xml {file} --data {folder}/images --output-dir {folder}-posed",
    ),
    ("reconstruction.json", "OpenSfM: ns-process-data odm --data {folder} --output-dir {folder}-posed"),
    ("odm_*", "OpenDroneMap: ns-process-data odm --data {folder} --output-dir {folder}-posed"),
    ("bundle.out", "Bundler: colmap model_converter reads none; pose the photos again: nfcore pose {folder}"),
    ("database.db", "COLMAP's database without a model: pose the photos again: nfcore pose {folder}"),
    ("transforms_test.json", "transforms_train.json is missing: it lists the photos to train on"),
    (
        "transforms*.json",
        "{file} has another name: choose transforms:{folder} with its option file={file.name}",
    ),
)
#: Those with poses: the folder's photos are not to be posed again.
_POSED = ("transforms_test.json", "transforms*.json")
_MOST_FOLDERS = 200


def is_posed(folder: Path, markers: Iterable[str]) -> bool:
    """Return whether the poses of a folder's photos are in a file or folder next to them (see ``next_step``)."""
    return bool(_elsewhere(folder, markers)) or any(True for name in _POSED for _ in folder.glob(name))


def next_step(folder: Path, markers: Iterable[str]) -> str | None:
    """Return what to do with a folder that no ray source reads, or None if nothing is known.

    Args:
        folder: the folder.
        markers: files by which ray sources recognise a data set: it may be in a sub-folder.

    """
    found = _elsewhere(folder, markers)
    if found:
        where = "the folder above it" if found[0] == folder.resolve().parent else "a sub-folder"
        return f"there is one in {where}: choose {found[0]}" + (f" or {found[1]}" if len(found) > 1 else "")
    for pattern, step in _STEPS:
        file = next(iter(sorted(folder.glob(pattern))), None)
        if file is not None:
            return step.format(file=file, folder=folder)
    return None


def _elsewhere(folder: Path, markers: Iterable[str]) -> list[Path]:
    """Return the folders one and two levels below, and the one above, that have a marker."""
    known = list(markers)
    return [near for near in _around(folder) if any((near / marker).exists() for marker in known)]


def _around(folder: Path) -> list[Path]:
    children = _folders(sorted(folder.iterdir()))
    grandchildren = [inner for child in children for inner in _folders(sorted(child.iterdir()))]
    return [*children, *grandchildren[:_MOST_FOLDERS], folder.resolve().parent]


def _folders(entries: Sequence[Path]) -> list[Path]:
    return [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")][:_MOST_FOLDERS]
