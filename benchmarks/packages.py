"""Exports of a student for benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nfcore import LightField, plugins
from nfcore.config.schema import Choice
from nfcore.measuring.packages import Package


def export_all(student: LightField, choices: Mapping[str, Choice], folder: Path) -> list[Package]:
    """Export ``student`` for each of the choices into a sub-folder of ``folder``."""
    packages = []
    for label, choice in choices.items():
        exporter = plugins().build("exporter", choice.name, choice.options)
        place = folder / f"{len(packages)}"
        place.mkdir()
        extras = exporter.export(student, place).extras
        packages.append(Package(label, choice, exporter, place, extras))
    return packages
