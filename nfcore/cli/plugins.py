"""``nfcore plugins``: list installed components, and what is broken."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer

from nfcore.cli import check, info, new, search
from nfcore.cli.options import examples
from nfcore.cli.output import JsonOption, print_json, print_table, say
from nfcore.plugin.entry_points import PluginSource
from nfcore.plugin.installed import plugins
from nfcore.plugin.isolation import Plugin
from nfcore.plugin.manager import PluginManager
from nfcore.plugin.stale_installs import stale_installs

app = typer.Typer(help="Plugins and the components that they offer.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list", epilog=examples("nfcore plugins list --json"))
def list_plugins(context: typer.Context, as_json: JsonOption = False) -> None:
    """List components by kind and name, then what can't be used, with its plugin and the reason."""
    manager = plugins()
    context.find_root().command.list_commands(context)  # type: ignore[attr-defined]  # a plugin's own may fail
    components = [
        {
            "kind": component.kind,
            "name": component.name,
            "distribution": plugin.distribution,
            "version": plugin.source.version,
            "summary": component.summary,
        }
        for plugin, component in manager.components()
    ]
    trouble = unusable(manager)
    if as_json:
        print_json({"components": components} | trouble)
        return
    print_table(["kind", "name", "from", "version", "what it is"], [list(row.values()) for row in components])
    for row in trouble["broken"]:
        say(f"broken: {row['distribution']} {row['version']} ({row['entry_point']}): {row['problem']}")
    for row in trouble["unusable"]:
        what = f"{row['kind']} {row['name']!r} of {row['distribution']} {row['version']}"
        say(f"unusable: {what}: {row['problem']}")
    for row in trouble["out_of_date"]:
        say(f"out of date: {row['distribution']} {row['version']}: {row['problem']}: {row['hint']}")
    for row in trouble["disabled"]:
        say(f"disabled: {row['distribution']} {row['version']} ({row['entry_point']}): by {row['disabled_by']}")


def unusable(manager: PluginManager) -> dict[str, list[dict[str, Any]]]:
    """Return what does not work, as far as can be known without importing components, as rows of listings."""
    named: list[tuple[Plugin, str, str, str | None]] = [
        (plugin, c.kind, c.name, manager.problem(plugin, c)) for plugin, c in manager.components()
    ]
    named += [(plugin, "recipe", r.name, manager.recipe_problem(plugin, r)) for plugin, r in manager.recipes()]
    return {
        "broken": [_origin(p.source) | {"problem": p.problem} for p in manager.plugins if p.problem],
        "unusable": [
            {
                "kind": kind,
                "name": name,
                "distribution": plugin.distribution,
                "version": plugin.source.version,
                "problem": problem,
            }
            for plugin, kind, name, problem in named
            if problem
        ],
        "out_of_date": [asdict(install) for install in stale_installs()],
        "disabled": [_origin(source) | {"disabled_by": variable} for source, variable in manager.disabled],
    }


def _origin(source: PluginSource) -> dict[str, Any]:
    return {"distribution": source.distribution, "version": source.version, "entry_point": source.entry_point}


info.add_to(app)
check.add_to(app)
new.add_to(app)
search.add_to(app)
