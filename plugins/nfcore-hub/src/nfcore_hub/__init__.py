"""Students and data by name: ``nfcore push``, ``nfcore pull`` and ``nfcore download``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nfcore

if TYPE_CHECKING:
    import typer


@nfcore.hookimpl
def nfcore_commands(app: typer.Typer) -> None:
    """Add the commands."""
    from nfcore_hub.cli import download, pull, push

    for command in (push, pull, download):
        app.command()(command)
