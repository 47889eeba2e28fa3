"""The finished exports of a run as packages to measure, and their quality by their manifests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nfcore.errors import UserError, nearest
from nfcore.exports.manifest import Manifest
from nfcore.measuring.bench import Quality
from nfcore.measuring.latency import TORCH
from nfcore.measuring.packages import Package
from nfcore.plugin.manager import PluginManager
from nfcore.runs.folder import Run


def packages_of(run: Run, manager: PluginManager, labels: Sequence[str] = ()) -> list[Package]:
    """Return the finished exports of a run with the given ``labels``, or all, in the order of its configuration.

    Raises:
        UserError: there is no such export, it is unfinished, or its manifest is missing or damaged.

    """
    results = run.finished
    finished = {label: choice for label, choice in run.config.export.items() if f"export.{label}" in results}
    for label in labels:
        if label not in finished:
            raise UserError(f"{run.folder}: no finished export {label!r}; {nearest(label, finished)}")
    packages = []
    for label, choice in finished.items():
        if not labels or label in labels:
            exporter = manager.build("exporter", choice.name, choice.options)
            folder = run.exports_folder / label
            packages.append(Package(label, choice, exporter, folder, Manifest.read(folder).extras))
    return packages


def quality_of(run: Run, packages: Iterable[Package]) -> dict[str, Quality]:
    """Return the quality of a run's exports, by label, and of torch on the same photos.

    If no export was compared with photos, torch has the quality of the run's evaluation.

    Raises:
        UserError: an export has no manifest, or a damaged one.

    """
    scores = run.finished.get("evaluate", {})
    known = {TORCH[takes]: Quality(scores.get(f"{takes}.test.psnr")) for takes in TORCH}
    for package in packages:
        manifest = Manifest.read(package.folder)
        photos, parity = manifest.photos, manifest.parity
        known[package.label] = Quality(
            None if photos is None else photos.psnr, None if parity is None else parity.least_psnr
        )
        if photos is not None:
            known[TORCH[package.takes]] = Quality(photos.torch_psnr)
    return known
