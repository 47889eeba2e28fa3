"""The report's exports: what was written for which target, how large, and how near to torch it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nfcore.config import Choice
from nfcore.report.figures import size


@dataclass(frozen=True)
class ShownExport:
    """One export.

    Args:
        label: the run's name for it.
        size: of all its files.
        facts: what is known of it, by name.
        not_verified: what was not verified and why, one line each.
        files: each file with its size.
        problem: why it is not to be used, or nothing.

    """

    label: str
    size: str
    facts: tuple[tuple[str, str], ...]
    not_verified: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    problem: str = ""


def shown_exports(folder: Path, choices: Mapping[str, Choice], summary: Mapping[str, Any]) -> list[ShownExport]:
    """Return the exports of a run that are finished or rejected.

    Args:
        folder: the run's ``exports``.
        choices: the exports of the run's configuration.
        summary: the run's figures.

    """
    found = []
    for label, choice in choices.items():
        figures = {
            key.removeprefix(f"export.{label}."): value
            for key, value in summary.items()
            if key.startswith(f"export.{label}.")
        }
        rejected = folder / "rejected" / label
        if figures:
            found.append(_finished(label, choice, figures, folder / label))
        elif rejected.is_dir():
            found.append(_rejected(label, choice, rejected))
    return found


def _finished(label: str, choice: Choice, figures: Mapping[str, Any], folder: Path) -> ShownExport:
    facts = [("Exporter", choice.name)]
    if "psnr_vs_torch" in figures:
        facts.append(("Against torch", f"{figures['psnr_vs_torch']:.1f} dB at least"))
    if "max_error" in figures:
        facts.append(("Greatest error", f"{figures['max_error']:.1e} of a colour's range"))
    if "verified_by" in figures:
        facts.append(("Verified by", str(figures["verified_by"])))
    skipped = (str(figures["not_verified"]),) if "not_verified" in figures else ()
    return ShownExport(label, size(figures["bytes"]), tuple(facts), skipped, _files(folder))


def _rejected(label: str, choice: Choice, folder: Path) -> ShownExport:
    problem = "Rejected: its pictures differ from torch's by more than its floor allows."
    return ShownExport(label, "", (("Exporter", choice.name),), (), _files(folder), problem)


def _files(folder: Path) -> tuple[tuple[str, str], ...]:
    """Return the files of an export; a package that is a folder counts as one."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        parts = path.rglob("*") if path.is_dir() else [path]
        found.append((path.name, size(sum(part.stat().st_size for part in parts if part.is_file()))))
    return tuple(found)
