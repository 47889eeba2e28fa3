"""``nfcore plugins new``: a distribution of one's own, to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nfcore.cli.output import JsonOption, print_json, say
from nfcore.plugin.components import KINDS
from nfcore.plugin.installed import plugins


def add_to(app: typer.Typer) -> None:
    """Add the command to ``nfcore plugins``."""
    app.command()(new)


def _kinds(incomplete: str) -> list[str]:
    return [kind for kind in KINDS if kind.startswith(incomplete)]


def new(
    name: Annotated[str, typer.Argument(help="The distribution's name: lower case, words joined by dashes.")],
    kind: Annotated[str, typer.Option(help=f"What it offers: {', '.join(KINDS)}.", autocompletion=_kinds)],
    out: Annotated[Path, typer.Option(help="Folder to put the new folder into.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write a plugin that works: one component with options, tests, a README and a CI workflow."""
    from nfcore.plugin.scaffold import write_plugin

    made = write_plugin(name, kind, out, plugins())
    if as_json:
        print_json({"folder": str(made.folder), "component": made.component, "files": made.files})
        return
    say(f"{made.folder}: {len(made.files)} files")
    say("try it from source:")
    say(f"  nfcore --plugins-dir {made.folder} plugins check {made.component}")
    say(f"  nfcore --plugins-dir {made.folder} {made.use}")
    say("or install it:")
    say(f"  pip install -e {made.folder}")
