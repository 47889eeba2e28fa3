"""``nfcore plugins new``: write a new plugin from a template."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nfcore.cli.options import examples
from nfcore.cli.output import JsonOption, print_json, say
from nfcore.plugin.components import KINDS
from nfcore.plugin.installed import plugins


def add_to(app: typer.Typer) -> None:
    """Add the command to ``nfcore plugins``."""
    app.command(epilog=examples("nfcore plugins new my-encoding --kind encoding"))(new)


def _kinds(incomplete: str) -> list[str]:
    return [kind for kind in KINDS if kind.startswith(incomplete)]


def new(
    name: Annotated[str, typer.Argument(help="The distribution's name: lower case, words joined by dashes.")],
    kind: Annotated[str, typer.Option(help=f"What it offers: {', '.join(KINDS)}.", autocompletion=_kinds)],
    out: Annotated[Path, typer.Option(help="Folder in which the plugin's folder is created.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Create a working plugin: one component with options, tests, a README and a CI workflow."""
    from nfcore.plugin.scaffold import write_plugin

    made = write_plugin(name, kind, out, plugins())
    if as_json:
        print_json({"folder": str(made.folder), "component": made.component, "files": made.files})
        return
    say(f"{made.folder}: {len(made.files)} files")
    say("to try it from source:")
    say(f"  nfcore --plugins-dir {made.folder} plugins check {made.component}")
    say(f"  nfcore --plugins-dir {made.folder} {made.use}")
    say("to install it:")
    say(f"  pip install -e {made.folder}")
