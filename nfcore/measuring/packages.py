"""A package: exported files in a folder, with the exporter that loads them."""

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
        exporter: the exporter that wrote the files and loads them.
        folder: the folder of the files, with or without the core's manifest, model card and picture.
        extras: files and folders in it that do not count in its size; see ``Exported``.

    """

    label: str
    choice: Choice
    exporter: Exporter[Any]
    folder: Path
    extras: tuple[str, ...] = ()

    @property
    def takes(self) -> Takes:
        """Whether it was made from a student or from a teacher."""
        return self.exporter.takes

    @property
    def bytes(self) -> int:
        """Size of all files that the target needs, including weights stored next to a graph."""
        left_out = {self.folder / name for name in (*OF_THE_CORE, *self.extras)}
        return sum(
            file.stat().st_size
            for file in self.folder.rglob("*")
            if file.is_file() and left_out.isdisjoint((file, *file.parents))
        )


def load_for_timing(package: Package, threads: int | None) -> Runner | str:
    """Return a runner that can be timed, or the reason why not."""
    try:
        runner = package.exporter.load(package.folder, threads=threads)
    except VerificationUnavailable as why:
        return str(why)
    return runner if runner.timed else "not timed: it runs here on another engine than its target's"
