"""``nfcore plugins``: what is installed, and what is broken."""

from __future__ import annotations

import typer

from nfcore.cli.output import JsonOption, print_json, print_table, say
from nfcore.manager import plugins

app = typer.Typer(help="Plugins and the components that they offer.", no_args_is_help=True)


@app.command("list")
def list_plugins(as_json: JsonOption = False) -> None:
    """List components by kind and name; plugins that are broken come last, with the reason."""
    manager = plugins()
    broken = [plugin for plugin in manager.plugins if plugin.problem]
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
    problems = [
        {
            "distribution": p.distribution,
            "version": p.source.version,
            "entry_point": p.source.entry_point,
            "problem": p.problem,
        }
        for p in broken
    ]
    if as_json:
        print_json({"components": components, "broken": problems})
        return
    print_table(["kind", "name", "from", "version", "what it is"], [list(row.values()) for row in components])
    for plugin in broken:
        say(f"broken: {plugin} ({plugin.source.entry_point}): {plugin.problem}")
