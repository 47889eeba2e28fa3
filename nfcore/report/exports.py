"""The exports in the report: their targets, their sizes, and how close to torch they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nfcore.config.schema import Choice
from nfcore.errors import UserError
from nfcore.exports.card import required
from nfcore.exports.manifest import Manifest
from nfcore.report.figures import size


@dataclass(frozen=True)
class ShownExport:
    """One export.

    Args:
        label: of the export in the run.
        size: of all its files, or empty.
        facts: from its manifest, by name.
        unverified: what was not verified, and why.
        files: model files, with their sizes.
        problem: why it must not be used, or empty.

    """

    label: str
    size: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    unverified: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    problem: str = ""


def shown_exports(folder: Path, choices: Mapping[str, Choice]) -> Iterator[ShownExport]:
    """Yield the exports of a run from their manifests, including rejected ones.

    Args:
        folder: the run's ``exports``.
        choices: the exports of the run's configuration, by label.

    """
    for label in choices:
        for place in (folder / label, folder / "rejected" / label):
            if place.is_dir():
                yield _shown(label, place)
                break


def _shown(label: str, folder: Path) -> ShownExport:
    try:
        manifest = Manifest.read(folder)
    except UserError as error:
        return ShownExport(label, problem=str(error))
    files = tuple((file.name, size(manifest.size_of(file.name))) for file in manifest.files)
    problem = f"Rejected: {manifest.rejected}" if manifest.rejected else ""
    facts = tuple(_facts(manifest))
    return ShownExport(label, size(manifest.bytes), facts, manifest.not_verified, files, problem)


def _facts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "Exporter", f"{manifest.exporter.name} {manifest.exporter.version or ''}".strip()
    yield "Target", manifest.target
    yield "Precision", manifest.precision
    if manifest.verified_by:
        yield "Run by", manifest.verified_by
    if parity := manifest.parity:
        mean, error = (
            f"{parity.mean_psnr:.1f} dB on average",
            f"no colour value off by more than {parity.max_error:.1e}",
        )
        yield "Against torch", f"{parity.least_psnr:.1f} dB at least, {mean}, {error}; {parity.poses} poses"
        yield "Required", required(manifest.tolerance)
    if photos := manifest.photos:
        yield (
            "On photos",
            f"{photos.psnr:.2f} dB, where torch has {photos.torch_psnr:.2f} dB ({photos.photos} photos)",
        )
