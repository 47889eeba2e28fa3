"""Rendering and exporting a student's file on its own, without its run, its data set or its teacher."""

from __future__ import annotations

from pathlib import Path

from nfcore.cli.output import print_json, say
from nfcore.config import Choice
from nfcore.console import Console, ConsoleReporter
from nfcore.light_field import LightField
from nfcore.manager import plugins
from nfcore.pipeline.export import export
from nfcore.pipeline.render import save_orbit, save_view


def render_student(path: Path, folder: Path, *, quiet: bool) -> None:
    """Write a picture at the first reference camera and an orbit video into ``folder``."""
    student = LightField.load(path)
    with Console(quiet=quiet) as console:
        save_view(student, folder / "view.png")
        save_orbit(student, folder / "orbit.mp4", reporter=ConsoleReporter(console, "render"))
    say(f"picture: {folder / 'view.png'}")
    say(f"orbit video: {folder / 'orbit.mp4'}")


def export_student(path: Path, exports: dict[str, Choice], folder: Path, as_json: bool, *, quiet: bool) -> None:
    """Export into ``folder``, a sub-folder each."""
    student = LightField.load(path)
    reports = {}
    with Console(quiet=quiet) as console:
        for label, choice in exports.items():
            exporter = plugins().build("exporter", choice.name, choice.options)
            reporter = ConsoleReporter(console, f"export.{label}")
            reports[label] = export(student, exporter, folder / label, reporter).figures()
    if as_json:
        print_json(reports)
        return
    for label, figures in reports.items():
        say(f"{folder / label}: " + ", ".join(f"{name} {value}" for name, value in figures.items()))
