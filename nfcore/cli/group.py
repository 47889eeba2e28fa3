"""The command group to which plugins may add commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from nfcore.errors import UserError, nearest
from nfcore.plugin.guard import guarded
from nfcore.plugin.installed import plugins, use_plugin_folders
from nfcore.plugin.isolation import Plugin, is_users, reason
from nfcore.plugin.manager import PluginManager
from nfcore.runtime.plain_text import plain_lines


def use_plugins_dir(folders: list[Path] | None) -> list[Path] | None:
    """Apply ``--plugins-dir`` before any command is looked up, since its plugins may add commands."""
    if folders:
        use_plugin_folders(folders)
    return folders


class PluginGroup(TyperGroup):
    """Finds a command among nfcore's own first, then among those that plugins add, each plugin isolated."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what a plugin raises to end the process is an error like any other."""
        try:
            return super().invoke(ctx)
        except Exception:
            raise
        except BaseException as error:
            exits = isinstance(error, SystemExit) and ctx.invoked_subcommand not in self.commands  # a plugin's own
            if exits or is_users(error):
                raise
            raise RuntimeError(reason(error)).with_traceback(error.__traceback__) from None

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command called ``cmd_name``, or None."""
        return super().get_command(ctx, cmd_name) or self.added().get(cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all names, nfcore's own first."""
        return [*super().list_commands(ctx), *sorted(self.added())]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that ``args`` start with; the error for an unknown one lists broken plugins."""
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and self.get_command(ctx, name) is None:
            broken = [f"{p} is broken: {p.problem}" for p in plugins().plugins if p.problem]
            raise UserError("; ".join([f"no command {name!r}: {nearest(name, self.list_commands(ctx))}", *broken]))
        return super().resolve_command(ctx, args)

    def added(self) -> dict[str, Any]:
        """Return the commands that plugins add, by name; a plugin that fails to add its own becomes broken."""
        manager = plugins()
        known: tuple[PluginManager, dict[str, Any]] | None = getattr(self, "_added", None)
        if known is None or known[0] is not manager:
            known = manager, self._collect(manager)
            self._added = known
        return known[1]

    def _collect(self, manager: PluginManager) -> dict[str, Any]:
        found: dict[str, list[tuple[Plugin, Any]]] = {}
        for plugin in manager.plugins:
            for name, command in _commands_of(plugin, manager).items():
                found.setdefault(name, []).append((plugin, command))
        for name, offers in found.items():
            distributions = {plugin.distribution for plugin, _ in offers}
            for plugin, _ in offers:
                if name in self.commands:
                    plugin.problem = f"adds the command {name!r}, which nfcore has"
                elif len(offers) > 1:
                    others = ", ".join(sorted(distributions - {plugin.distribution})) or "itself"
                    plugin.problem = f"adds the command {name!r}, which is also added by {others}"
        return {n: offers[0][1] for n, offers in found.items() if len(offers) == 1 and n not in self.commands}


def _commands_of(plugin: Plugin, manager: PluginManager) -> dict[str, Any]:
    """Return the commands that one plugin adds; typer checks their parameters only when it builds them."""
    app = typer.Typer(rich_markup_mode=None)
    if not manager.call(plugin, "nfcore_commands", app=app):
        return {}
    if not app.registered_commands and not app.registered_groups:
        return {}
    try:
        with guarded():
            commands = dict(typer.main.get_group(app).commands)
        for command in commands.values():
            _make_plain(command)
        return commands
    except BaseException as error:
        if is_users(error):
            raise
        plugin.problem = f"adds a command that can't be built: {reason(error)}"
        return {}


def _make_plain(command: Any) -> None:
    """Make the help of a plugin's command, and of the commands in it, plain text."""
    for part in (command, *command.params):
        for name in ("help", "short_help", "epilog", "deprecated"):
            if isinstance(text := getattr(part, name, None), str):
                lines = text.split("\n")
                # A line of \b alone is click's mark of a paragraph that is not to be wrapped.
                setattr(part, name, "\n".join(line if line == "\b" else plain_lines(line) for line in lines))
    for inner in getattr(command, "commands", {}).values():
        _make_plain(inner)
