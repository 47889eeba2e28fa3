"""``nfcore recipes``: the pipelines that there are."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from nfcore.cli import completion
from nfcore.cli.output import JsonOption, print_json, print_table
from nfcore.manager import plugins

app = typer.Typer(help="Named pipelines.", no_args_is_help=True)


@app.command("list")
def list_recipes(as_json: JsonOption = False) -> None:
    """List the recipes that installed plugins offer."""
    rows = [
        {"name": recipe.name, "distribution": plugin.distribution, "summary": recipe.summary}
        for plugin, recipe in plugins().recipes()
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(["recipe", "from", "what it is"], [list(row.values()) for row in rows])


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A recipe's name.", autocompletion=completion.recipes)],
    as_json: JsonOption = False,
) -> None:
    """Print a recipe: copy it to a .toml file to make your own."""
    import tomllib

    text = plugins().recipe(name).path.read_text(encoding="utf-8")
    sys.stdout.write(json.dumps(tomllib.loads(text), indent=2) + "\n" if as_json else text)
