"""Rendering and exporting a student's or a teacher's file without its run and data set."""

from __future__ import annotations

from pathlib import Path

from nfcore.cli.output import print_json, say
from nfcore.cli.summary import print_exports
from nfcore.config.schema import ExportChoice
from nfcore.exports.manifest import Manifest
from nfcore.exports.reference import Reference
from nfcore.pipeline.export import export, exports_failed
from nfcore.pipeline.render import save_orbit, save_view
from nfcore.plugin.installed import plugins
from nfcore.runs.model_file import ModelFile
from nfcore.ui.console import Console, ConsoleReporter


def render_file(path: Path, folder: Path | None, *, quiet: bool, as_json: bool) -> None:
    """Write an image at the first reference camera and an orbit video into ``folder``."""
    opened = ModelFile(path)
    folder, model = folder or opened.renders_folder, opened.shown
    with Console(quiet=quiet) as console:
        save_view(model, folder / "view.png")
        save_orbit(model, folder / "orbit.mp4", reporter=ConsoleReporter(console, "render"))
    if as_json:
        print_json({"picture": str(folder / "view.png"), "video": str(folder / "orbit.mp4")})
    else:
        say(f"picture: {folder / 'view.png'}")
        say(f"orbit video: {folder / 'orbit.mp4'}")


def export_file(path: Path, exports: dict[str, ExportChoice], folder: Path, as_json: bool, *, quiet: bool) -> None:
    """Export into sub-folders of ``folder``; all exports are tried, and failures are reported at the end.

    Raises:
        NfcoreError: an export failed.

    """
    opened = ModelFile(path, device="cpu")
    reference = Reference(opened.shown, file=path, photos=f"a {opened.renderer}'s file has no photos")
    made: dict[str, Manifest] = {}
    failed: dict[str, Exception] = {}
    with Console(quiet=quiet) as console:
        for label, choice in exports.items():
            exporter = plugins().build("exporter", choice.name, choice.options)
            reporter = ConsoleReporter(console, f"export.{label}")
            try:
                made[label] = export(
                    reference, exporter, folder / label, reporter, required_psnr=choice.required_psnr
                )
            except Exception as error:  # whatever one exporter raises, the others still run
                failed[label] = error
    figures = {label: manifest.figures() for label, manifest in made.items()}
    if as_json:
        print_json(figures)
    elif made:
        summary = {f"export.{label}.{name}": value for label, of in figures.items() for name, value in of.items()}
        print_exports(f"exports of {path.name}", summary, folder)
    if failed:
        raise exports_failed(failed, of=len(exports)) from next(iter(failed.values()))
