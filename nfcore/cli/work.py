"""Common code of the commands that work on a run: execute it, then print its results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nfcore.cli.output import print_json, say

if TYPE_CHECKING:
    from nfcore.config.resolve import Configured
    from nfcore.config.stages import Stage


class Display(NamedTuple):
    """What a command shows of its work.

    Args:
        quiet: show no progress.
        pictures: show previews, if the terminal supports them.
        as_json: print the results as JSON instead of as a table.

    """

    quiet: bool = False
    pictures: bool = True
    as_json: bool = False


def work(
    folder: Path,
    stage: Stage | None,
    display: Display,
    config: Configured | None = None,
    *,
    resume: bool = True,
    change: bool = True,
    again: bool = False,
    threads: int | None = None,
    table: bool = True,
) -> bool:
    """Execute one stage of the run in ``folder``, or all, and print its table; see ``nfcore.runs.execute``.

    By default the run adopts ``config``, if there is one, as all commands of single stages let it.

    Returns:
        Whether this process prints the results: with ``torchrun``, the first one does.

    """
    from nfcore.cli.summary import print_summary
    from nfcore.pipeline.export import ExportsFailedError
    from nfcore.plugin.installed import plugins
    from nfcore.runs import Run, execute
    from nfcore.runs.provenance import command_line
    from nfcore.runtime import distributed
    from nfcore.ui.console import Console

    limit_threads(threads)
    failure = None
    with distributed.joined():
        first = distributed.first()
        with Console(quiet=display.quiet or not first, pictures=display.pictures) as console:
            try:
                execute(
                    folder,
                    config,
                    stage=stage,
                    resume=resume,
                    change=change,
                    again=again,
                    components=plugins(),
                    console=console,
                    command=command_line(sys.argv[1:]),
                    estimate=stage is None and not (display.quiet or display.as_json),
                )
            except ExportsFailedError as error:
                failure = error  # raised after the table of the others
    if not first:
        return False
    summary = Run(folder).summary()
    if display.as_json:
        print_json(summary)
    elif table:
        print_summary(folder, summary)
    if failure is not None:
        raise failure
    return True


def limit_threads(threads: int | None) -> None:
    """Let torch use ``threads`` CPU threads; None leaves it all of them."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def print_paths(folder: Path) -> None:
    """Print the paths of a finished run's report, comparison and orbit video."""
    from nfcore.runs import Run

    if (folder / "report.html").is_file():
        say(f"report: {folder / 'report.html'}")
    shown = "teacher, truth" if Run(folder).config.student is None else "student, teacher, truth"
    say(f"picture ({shown}): {folder / 'previews' / 'comparison.png'}")
    say(f"orbit video: {folder / 'previews' / 'orbit.mp4'}")
    exports = folder / "exports"
    for path in sorted(exports.iterdir()) if exports.is_dir() else []:
        if path.name != "rejected":
            say(f"export: {path}")
