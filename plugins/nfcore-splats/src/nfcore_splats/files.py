"""Files of Gaussians: which format one has, and which way is up in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nfcore import UserError
from nfcore.io import read_file
from nfcore_splats.gaussians import Gaussians
from nfcore_splats.ply import read_ply
from nfcore_splats.sanity import MOST_BYTES, cleaned
from nfcore_splats.sog import read_sog
from nfcore_splats.splat import read_splat
from nfcore_splats.spz import read_spz

#: The endings of files that are read, and the file by which a folder with SOG is recognised.
SUFFIXES, SOG_MARKER = (".ply", ".splat", ".spz", ".sog"), "means_l.webp"
Direction = tuple[float, float, float]
_READERS = {".ply": read_ply, ".splat": read_splat, ".spz": read_spz}


@dataclass(frozen=True)
class SplatFile:
    """What a file holds.

    Args:
        gaussians: in the file's own coordinates.
        up: the unit vector that the format takes for up: y in SPZ, -y in the others, as in COLMAP's cameras.
        notes: what its user should know, one sentence each.

    """

    gaussians: Gaussians
    up: Direction
    notes: tuple[str, ...] = ()


def read_gaussians(path: Path) -> SplatFile:
    """Return the Gaussians in a file, or in a folder with SOG, without those that are not finite.

    Raises:
        UserError: it is missing, damaged, too large, or of another kind; says which.

    >>> read_gaussians(Path("scene.spz"))  # doctest: +SKIP
    SplatFile(gaussians=Gaussians(60000, degree 2), up=(0.0, 1.0, 0.0), notes=())

    """
    if path.name == "meta.json" and (path.parent / SOG_MARKER).is_file():
        path = path.parent
    suffix = path.suffix.lower()
    if suffix == ".sog" or (path / SOG_MARKER).is_file():
        found = read_sog(path)
    elif suffix in _READERS:
        found = _READERS[suffix](read_file(path, MOST_BYTES), str(path))
    elif path.is_dir():
        raise UserError(f"{path}: a folder without SOG: {_choice(path)}")
    elif path.exists():
        convert = "; playcanvas/splat-transform converts it" if suffix == ".ksplat" else ""
        raise UserError(
            f"{path}: no file of Gaussians: {', '.join(SUFFIXES)} and folders with SOG are read{convert}"
        )
    else:
        raise UserError(f"{path}: no such file")
    gaussians, notes = cleaned(found, str(path))
    return SplatFile(gaussians, (0.0, 1.0 if suffix == ".spz" else -1.0, 0.0), notes)


def _choice(folder: Path) -> str:
    """Return which of a folder's files to choose: that of the last iteration, as the reference code saves them."""
    iterations = [
        *folder.glob("point_cloud/iteration_*/point_cloud.ply"),
        *folder.glob("iteration_*/point_cloud.ply"),
    ]
    last = sorted(iterations, key=lambda file: (len(file.parent.name), file.parent.name))[-1:]
    files = last or sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    return f"choose {files[0]}" if files else f"it must hold a file of Gaussians ({', '.join(SUFFIXES)})"
