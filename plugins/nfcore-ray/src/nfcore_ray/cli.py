"""The command ``nfcore sweep``: many runs from one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from nfcore import Interrupted, NfcoreError, UserError
from nfcore.cli import JsonOption, QuietOption, print_json, print_table, say

# Runs that a dry run lists, each checked with its data set.
_LISTED = 1000


def sweep(
    file: Annotated[Path, typer.Argument(help="Sweep file (TOML): recipes, scenes, seeds, resources.")],
    address: Annotated[
        str | None,
        typer.Option(help="HOST:PORT of a Ray cluster's head, or auto; by default Ray starts on this machine."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file and list its runs.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run many scenes, recipes and seeds as Ray tasks; the same command resumes an interrupted sweep."""
    # Imported here, so that listings don't wait for torch.
    from nfcore import plugins
    from nfcore_ray.display import Display
    from nfcore_ray.plan import plan
    from nfcore_ray.report import COLUMNS, MEANS, as_data, mean_rows, rows
    from nfcore_ray.sweep import Sweep
    from nfcore_ray.sweep_file import MOST_RUNS, checked_address, read_sweep

    orders = read_sweep(file)
    address = checked_address(address or orders.address or os.environ.get("RAY_ADDRESS"))
    folder = Path(orders.folder or Path("runs") / file.stem)
    if orders.count > MOST_RUNS and not dry_run:
        raise UserError(f"{file}: {orders.count:,} runs, and a sweep executes at most {MOST_RUNS:,}: split it")
    work = Sweep(orders, plan(orders, file, folder, plugins(), _LISTED if dry_run else None), folder)
    left_out = orders.count - len(work.statuses)
    if not dry_run:
        try:
            with Display(quiet=quiet) as display:
                work.do(address, display)
        except Interrupted as stop:
            raise Interrupted(stop.number, f"the same command ({work.counts})") from None
    statuses = list(work.statuses.values())
    if as_json:
        print_json(as_data(statuses) | ({"left_out": left_out} if left_out else {}))
    else:
        print_table(COLUMNS, rows(statuses), f"{folder}: {work.counts}")
        means = mean_rows(statuses)
        if means:
            print_table(means[0], means[1:], MEANS)
        if left_out:
            say(f"and {left_out:,} more runs, which are not listed")
        if not dry_run:
            say(f"report: {folder / 'report.md'}")
    failed = [status.run.name for status in statuses if status.state == "failed"]
    if failed:
        some = ", ".join(failed[:5]) + (", ..." if len(failed) > 5 else "")
        raise NfcoreError(
            f"{len(failed)} of {len(statuses)} runs failed ({some}): {folder / 'report.md'} says why, "
            "and the same command tries them again"
        )
