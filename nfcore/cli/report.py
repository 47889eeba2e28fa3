"""``nfcore report``: all that is known of a run, in one HTML file."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from nfcore.cli.options import RUNS, RunArgument, RunsOption, ThreadsOption, examples, run_folder
from nfcore.cli.output import JsonOption, print_json, say
from nfcore.cli.work import limit_threads
from nfcore.plugin.installed import plugins


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=examples("nfcore report quickstart --open"))(report)


def report(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option(help="The file; report.html in the run's folder by default.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    runs_folder: RunsOption = RUNS,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report of a run, finished or not: one self-contained HTML file."""
    from nfcore import runs

    limit_threads(threads)
    path = runs.write_report(runs.open(run_folder(run, runs_folder), plugins()), out)
    if as_json:
        print_json({"report": str(path)})
    else:
        say(f"report: {path}")
    if open_:
        webbrowser.open(path.resolve().as_uri())
