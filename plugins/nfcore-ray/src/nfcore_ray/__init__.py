"""Sweeps: many scenes, recipes and seeds as Ray tasks, each a run in its own folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nfcore

if TYPE_CHECKING:
    import typer


@nfcore.hookimpl
def nfcore_commands(app: typer.Typer) -> None:
    """Add ``nfcore sweep``."""
    from nfcore.cli import examples
    from nfcore_ray.cli import sweep

    app.command(epilog=examples("nfcore sweep many.toml --dry-run", "nfcore sweep many.toml"))(sweep)
