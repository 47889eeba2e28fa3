"""``nfcore compare``: runs side by side, and next to published tables."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nfcore.cli import completion
from nfcore.cli.options import RUNS, RunsOption, examples, run_folder
from nfcore.cli.output import JsonOption, print_json, print_markdown, print_table, say
from nfcore.errors import UserError
from nfcore.plugin.installed import plugins
from nfcore.runtime.plain_text import plain_lines

if TYPE_CHECKING:
    from nfcore.evaluation.comparison import Compared, Comparison, Entry
    from nfcore.evaluation.publications import Table, Tables

#: The columns of the table of runs: heading, key of ``summary.json``, factor and format.
_COLUMNS = [
    ("teacher PSNR", "teacher.test.psnr", 1, ".2f"),
    ("distilled", "student.distilled.psnr", 1, ".2f"),
    ("student PSNR", "student.test.psnr", 1, ".2f"),
    ("SSIM", "student.test.ssim", 1, ".4f"),
    ("LPIPS", "student.test.lpips", 1, ".4f"),
    ("M parameters", "student.parameters", 1e-6, ".3f"),
    ("GMAC", "student.macs", 1e-9, ".3g"),
    ("MB of look-ups", "student.look_up_bytes", 1e-6, ".3g"),
    ("s", "seconds.total", 1, ".0f"),
]


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=examples("nfcore compare lego-a lego-b", "nfcore compare lego-a --paper"))(compare)


def compare(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="Runs' folders or names.", autocompletion=completion.runs),
    ] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="Compare with the published tables that plugins offer.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    runs_folder: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Compare runs with each other or with a paper's tables; what was not measured is left blank."""
    from nfcore.runs.compared import read_compared

    if markdown and as_json:
        raise UserError("choose --markdown or --json")
    compared = [read_compared(run_folder(run, runs_folder)) for run in runs or ()]
    if paper:
        _with_publications(compared, markdown=markdown, as_json=as_json)
        return
    if not compared:
        raise UserError("nothing to compare: name runs, or add --paper for the published tables alone")
    if as_json:
        print_json([{"run": run.name} | dict(run.figures) for run in compared])
        return
    columns = ["run", "scene", "pixels", "test views", *(heading for heading, *_ in _COLUMNS)]
    _show(columns, [_side_by_side(run) for run in compared], None, markdown=markdown)


def _side_by_side(run: Compared) -> list[str]:
    figures = run.figures
    cells = [f"{figures[key] * factor:{form}}" if key in figures else "" for _, key, factor, form in _COLUMNS]
    return [run.name, run.scene, str(figures.get("image_size", "")), _views(figures), *cells]


def _views(figures: Any) -> str:
    return f"{figures['test_views']} ({figures.get('protocol', 'all')})" if "test_views" in figures else ""


def _with_publications(compared: list[Compared], *, markdown: bool, as_json: bool) -> None:
    from nfcore.evaluation.comparison import Comparison
    from nfcore.evaluation.publications import read_tables

    manager = plugins()
    comparisons = []
    for plugin, offer in manager.publications():
        try:
            comparisons.append(Comparison(offer.name, read_tables(offer.path), compared, manager))
        except UserError as error:  # one broken file must not hide the others
            sys.stderr.write(plain_lines(f"nfcore: the tables of {plugin} can't be read: {error}\n"))
    if not comparisons:
        raise UserError("no plugin offers published tables: install nfcore-mobiler2l for those of MobileR2L")
    if as_json:
        print_json([_as_data(comparison) for comparison in comparisons])
        return
    for comparison in comparisons:
        for table in comparison.tables.tables:
            entries = comparison.entries(table)
            title = f"{table.title}. {comparison.tables.title}, {table.source}"
            figures = [*table.columns, *(ours.title for ours in table.ours)]
            rows = [_cells(table, entry, figures) for entry in entries]
            _show(["", "run", "pixels", "test views", *figures], rows, title, markdown=markdown)
            if table.note:
                say(f"\n{table.note}" if markdown else table.note)
            say("")


def _cells(table: Table, entry: Entry, figures: list[str]) -> list[str]:
    run = entry.run or ""
    if entry.scene and entry.scene.lower() != entry.name.lower():
        run = f"{run} ({entry.scene})"
    views = f"{entry.test_views or ''} ({entry.protocol})".strip()
    known: dict[str, float | str] = {**entry.published, **(entry.ours or {})}
    return [entry.name, run, str(entry.image_size), views, *(_figure(table, known, title) for title in figures)]


def _figure(table: Table, known: Mapping[str, float | str], column: str) -> str:
    value = known.get(column, "")
    return value if isinstance(value, str) else f"{value:.{table.digits_of.get(column, table.digits)}f}"


def _show(columns: list[str], rows: list[list[str]], title: str | None, *, markdown: bool) -> None:
    (print_markdown if markdown else print_table)(columns, rows, title)


def _as_data(comparison: Comparison) -> dict[str, Any]:
    tables: Tables = comparison.tables
    return {
        "publication": comparison.name,
        "title": tables.title,
        "protocol": tables.protocol.model_dump(),
        "tables": [
            {
                "name": table.name,
                "title": table.title,
                "source": table.source,
                "note": table.note,
                "columns": list(table.columns),
                "ours": [ours.model_dump() for ours in table.ours],
                "rows": [asdict(entry) for entry in comparison.entries(table)],
            }
            for table in tables.tables
        ],
    }
