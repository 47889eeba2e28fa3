"""``nfcore report``: all that is known of a run, in one HTML file."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from nfcore.cli.options import RunArgument, ThreadsOption, run_folder
from nfcore.cli.output import say
from nfcore.plugin.installed import plugins


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(report)


def report(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option(help="The file; report.html in the run's folder by default.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    threads: ThreadsOption = None,
) -> None:
    """Write the report of a run, finished or not: one self-contained HTML file."""
    import torch

    from nfcore import runs

    if threads is not None:
        torch.set_num_threads(threads)
    path = runs.write_report(runs.open(run_folder(run), plugins()), out)
    say(f"report: {path}")
    if open_:
        webbrowser.open(path.resolve().as_uri())
