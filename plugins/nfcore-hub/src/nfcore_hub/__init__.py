"""Students and data by name: ``nfcore push``, ``nfcore pull`` and ``nfcore download``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nfcore

if TYPE_CHECKING:
    import typer


@nfcore.hookimpl
def nfcore_commands(app: typer.Typer) -> None:
    """Add the commands."""
    from nfcore.cli import examples
    from nfcore_hub.cli import download, pull, push

    app.command(epilog=examples("nfcore push quickstart hf:ada/lego --licence cc-by-4.0"))(push)
    app.command(epilog=examples("nfcore pull hf:ada/lego", "nfcore pull hf:ada/lego students/lego"))(pull)
    app.command(epilog=examples("nfcore download", "nfcore download lego --to data"))(download)
