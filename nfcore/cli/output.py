"""The output of commands: tables, JSON for scripts, and single lines."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Any

import typer

_PIPE_WIDTH = 200
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def print_json(value: Any) -> None:
    """Print ``value`` on standard output."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_table(columns: list[str], rows: list[list[Any]], title: str | None = None) -> None:
    """Print a table on standard output; an empty cell for None."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    # A pipe or a file has no width: cells are not wrapped to fit into rich's default of 80 columns.
    narrow = sys.stdout.isatty() or "COLUMNS" in os.environ
    Console(highlight=False, width=None if narrow else _PIPE_WIDTH).print(table)


def print_markdown(columns: list[str], rows: list[list[Any]], title: str | None = None) -> None:
    """Print a table in Markdown on standard output; an empty cell for None."""
    if title:
        say(f"**{title}**\n")
    for row in (columns, ["---"] * len(columns), *rows):
        cells = ("" if cell is None else str(cell).replace("|", "\\|") for cell in row)
        say(f"| {' | '.join(cells)} |")


def say(text: str) -> None:
    """Print one line on standard output."""
    sys.stdout.write(text + "\n")
