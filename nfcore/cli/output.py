"""The output of commands: tables, JSON for scripts, and single lines."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from nfcore.plugin.guard import output_to_stderr
from nfcore.runtime.plain_text import markdown, markdown_table, plain, plain_lines

_PIPE_WIDTH = 200
#: What ``print_json`` writes when the command ends; None where it writes at once.
_held: list[str] | None = None


@contextmanager
def json_alone() -> Iterator[None]:
    """Let standard output have nothing but JSON: what libraries and plugins print goes to standard error."""
    global _held
    outer, _held = _held, []
    try:
        with output_to_stderr():
            yield
    finally:
        texts, _held = _held, outer
        sys.stdout.write("".join(texts))


def _print_alone(context: typer.Context, wanted: bool) -> bool:
    if wanted and not context.resilient_parsing:
        context.with_resource(json_alone())
    return wanted


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.", callback=_print_alone)]


def print_json(value: Any) -> None:
    """Print ``value`` on standard output; null for numbers that are not finite, which JSON does not have.

    After ``--json``, it is printed when the command ends, and nothing else is.
    """
    text = json.dumps(_finite(value), indent=2, allow_nan=False) + "\n"
    if _held is None:
        sys.stdout.write(text)
    else:
        _held.append(text)


def print_table(columns: list[str], rows: list[list[Any]], title: str | None = None) -> None:
    """Print a table on standard output; an empty cell for None.

    Where the terminal is too narrow for the longest word of each column, rows are printed as paragraphs.
    """
    # A pipe or a file has no width: cells are not wrapped to fit into 80 columns.
    narrow = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = shutil.get_terminal_size().columns if narrow else _PIPE_WIDTH
    cells = [["" if cell is None else plain(cell) for cell in row] for row in rows]
    if _narrowest([columns, *cells]) > width:
        _print_rows(columns, cells, title, width)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title and Text(plain(title)), title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(Text(plain(column)), overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    Console(highlight=False, width=width).print(table)


def _narrowest(rows: list[list[str]]) -> int:
    """Return the width of a table whose columns are as wide as their longest words."""
    longest = [
        max((len(word) for cell in column for word in cell.split()), default=0)
        for column in zip(*rows, strict=True)
    ]
    return sum(longest) + 3 * len(longest) + 1


def _print_rows(columns: list[str], rows: list[list[str]], title: str | None, width: int) -> None:
    """Print each row as a paragraph: its first cell, then the others with their headings."""
    if title:
        say(title)
    for row in rows:
        say("")
        for column, (heading, cell) in enumerate(zip(columns, row, strict=True)):
            text = f"{heading}: {cell}" if column and heading else cell
            if cell:
                indent = "  " if column else ""
                lines = textwrap.wrap(
                    text,
                    width,
                    initial_indent=indent,
                    subsequent_indent=indent + "  " * bool(column),
                    break_long_words=False,
                    break_on_hyphens=False,
                )
                say("\n".join(lines))


def print_markdown(columns: list[str], rows: list[list[Any]], title: str | None = None) -> None:
    """Print a table in Markdown on standard output; an empty cell for None."""
    if title:
        say(f"**{markdown(title)}**\n")
    heading, *body = [["" if cell is None else markdown(cell) for cell in row] for row in (columns, *rows)]
    say(markdown_table(heading, body))


def say(text: str) -> None:
    """Print a line on standard output, or several."""
    sys.stdout.write(plain_lines(text) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
