"""The browser: an exporter to one HTML file that renders the student, and ``nfcore view``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import nfcore

if TYPE_CHECKING:
    import typer


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the exporter."""
    yield nfcore.Component(
        "exporter",
        "web",
        "nfcore_web.exporter:Web",
        summary="One HTML file that renders in a browser: WebGPU or WebAssembly, no network",
        level=2,
    )


@nfcore.hookimpl
def nfcore_commands(app: typer.Typer) -> None:
    """Add ``nfcore view``."""
    from nfcore.cli import examples
    from nfcore_web.command import view

    app.command("view", epilog=examples("nfcore view quickstart", "nfcore view student.safetensors"))(view)
