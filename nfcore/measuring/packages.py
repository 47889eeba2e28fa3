"""What is measured: exported files in a folder with the exporter that loads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nfcore.config.schema import Choice
from nfcore.exports.manifest import OF_THE_CORE
from nfcore.interfaces import Exporter, Runner, VerificationUnavailable
from nfcore.interfaces.exporter import Takes


@dataclass(frozen=True)
class Package:
    """One export of a student or a teacher.

    Args:
        label: its name in tables.
        choice: the exporter's name and options.
        exporter: what wrote the files and loads them.
        folder: where they are, alone or with the core's manifest, model card and picture.

    """

    label: str
    choice: Choice
    exporter: Exporter[Any]
    folder: Path

    @property
    def takes(self) -> Takes:
        """Whether it was made from a student or from a teacher."""
        return self.exporter.takes

    @property
    def bytes(self) -> int:
        """Size of all files, a graph's separate weights included; what the core writes next to them not."""
        added = {self.folder / name for name in OF_THE_CORE}
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file() and file not in added)


def load_for_timing(package: Package, threads: int | None) -> Runner | str:
    """Return a runner whose time means something, or in a few words why there is none."""
    try:
        runner = package.exporter.load(package.folder, threads=threads)
    except VerificationUnavailable as why:
        return str(why)
    return runner if runner.timed else "not timed: what runs it here is not what it is for"
