"""The command group whose commands plugins may add to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from nfcore.manager import plugins, use_plugin_folders


def use_plugins_dir(folders: list[Path] | None) -> list[Path] | None:
    """Take ``--plugins-dir`` before any command is looked up, so that it may bring commands too."""
    if folders:
        use_plugin_folders(folders)
    return folders


class PluginGroup(TyperGroup):
    """Finds a command among nfcore's own first, then among those that plugins add."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command called ``cmd_name``, or None."""
        return super().get_command(ctx, cmd_name) or self._added().get(cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all names, nfcore's own first."""
        own = super().list_commands(ctx)
        return [*own, *sorted(set(self._added()) - set(own))]

    def _added(self) -> dict[str, Any]:
        extra = typer.Typer()
        plugins().call_each("nfcore_commands", app=extra)
        if not extra.registered_commands and not extra.registered_groups:
            return {}
        return dict(typer.main.get_group(extra).commands)
