"""What is measured: exported files in a folder with what loads them, and what loading gave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nfcore.config import Choice
from nfcore.interfaces import Exporter, Runner, VerificationUnavailable


@dataclass(frozen=True)
class Package:
    """One export of a student.

    Args:
        label: its name in tables.
        choice: the exporter's name and options.
        exporter: what wrote the files and loads them.
        folder: where they are.
        files: their names in ``folder``, without what describes them.

    """

    label: str
    choice: Choice
    exporter: Exporter
    folder: Path
    files: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Size of the files. A model card, a manifest and pictures beside them do not count."""
        return sum(_size(self.folder / name) for name in self.files)


def load_for_timing(package: Package, threads: int | None) -> Runner | str:
    """Return a runner whose time means something, or in a few words why there is none."""
    try:
        runner = package.exporter.load(package.folder, threads=threads)
    except VerificationUnavailable as why:
        return str(why)
    return runner if runner.timed else "not timed: what runs it here is not what it is for"


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a package that is a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
