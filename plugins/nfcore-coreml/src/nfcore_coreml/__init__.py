"""The Core ML exporter, and ``nfcore coreml``, which inspects its packages."""

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
        "coreml",
        "nfcore_coreml.exporter:CoreML",
        summary="ML Program for iOS 16 and later, 16 to 4 bits a weight, ray arithmetic in fp32",
        level=2,
    )


@nfcore.hookimpl
def nfcore_commands(app: typer.Typer) -> None:
    """Add ``nfcore coreml``."""
    from nfcore.cli import examples
    from nfcore_coreml.command import coreml

    shown = examples("nfcore coreml runs/quickstart/exports/coreml", "nfcore coreml light_field.mlpackage --json")
    app.command("coreml", epilog=shown)(coreml)
