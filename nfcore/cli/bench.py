"""``nfcore bench``: latency, memory, size and quality of each export of a run, in one table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nfcore.cli.options import RUNS, QuietOption, RunArgument, RunsOption, examples, run_folder
from nfcore.cli.output import JsonOption, print_json, print_table, say
from nfcore.plugin.installed import plugins

if TYPE_CHECKING:
    from nfcore.interfaces.exporter import Takes
    from nfcore.measuring.bench import Bench, Row


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=examples("nfcore bench quickstart", "nfcore bench quickstart onnx --threads 1"))(bench)


def bench(
    run: RunArgument,
    exports: Annotated[
        list[str] | None,
        typer.Argument(metavar="[EXPORT]...", help="Labels of exports; all exports of the run by default."),
    ] = None,
    threads: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Number of CPU threads, may be repeated; 1 and all cores by default."),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(min=0.01, help="Approximate seconds that each export runs for, at each number of threads."),
    ] = 3.0,
    memory: Annotated[
        bool,
        typer.Option("--memory/--no-memory", help="Measure peak memory, each export in a process of its own."),
    ] = True,
    pages: Annotated[
        bool, typer.Option("--pages/--no-pages", help="Time exported pages in Chromium, if there is one.")
    ] = True,
    runs_folder: RunsOption = RUNS,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure a run's exports and torch: latency, energy, memory, size and quality.

    Writes a table, bench.json and a plot.
    """
    from nfcore import runs
    from nfcore.io.atomic import write_json
    from nfcore.measuring.bench import bench as measure
    from nfcore.measuring.pages import find_chromium
    from nfcore.runs.packages import packages_of, quality_of
    from nfcore.ui.console import Console, ConsoleReporter

    artifacts = runs.open(run_folder(run, runs_folder), plugins())
    opened = artifacts.run
    packages = packages_of(opened, plugins(), exports or ())
    exported: list[Takes] = sorted({package.takes for package in packages}) or [artifacts.renderer]
    with Console(quiet=quiet) as console:
        measured = measure(
            {takes: artifacts.exportable(takes) for takes in exported},
            packages,
            quality_of(opened, packages),
            threads=sorted(set(threads or (1, os.cpu_count() or 1))),
            seconds=seconds,
            memory=memory,
            browser=find_chromium() if pages else None,
            files={takes: artifacts.exportable_file(takes) for takes in exported},
            reporter=ConsoleReporter(console, "bench"),
        )
    data = {"run": opened.folder.resolve().name, **measured.as_data()}
    write_json(opened.folder / "bench.json", data)
    picture = _save_picture(measured, opened.folder / "bench.png", data["run"])
    if as_json:
        print_json(data)
        return
    _print(measured)
    if picture is not None:
        say(f"plot: {picture}")


def _print(measured: Bench) -> None:
    peaks = ", ".join(f"{rate / 1e9:.0f} GFLOP/s on {_threads(count)}" for count, rate in measured.peak.items())
    work = "" if measured.macs is None else f"{measured.macs / 1e9:.3g} GMAC an image; "
    title = f"{work}a matrix product here: {peaks}"
    metered = any(row.joules is not None for row in measured.rows)
    columns = [
        "",
        "threads",
        "ms",
        "half of the rounds",
        *(["J"] if metered else []),
        "of the peak",
        "size",
        "memory",
        "PSNR photos",
        "against torch",
        "",
    ]
    print_table(columns, [_cells(row, metered) for row in measured.rows], title)
    say("Pareto front by size: " + (", ".join(measured.pareto_by_size) or "unknown without PSNR against photos"))
    front = [f"{label} on {_threads(threads)}" for label, threads in measured.pareto_by_latency]
    if front:
        say("Pareto front by latency: " + ", ".join(front))


def _cells(row: Row, metered: bool) -> list[str]:
    spread = "" if row.spread is None else f"{row.spread[0]:.3g} to {row.spread[1]:.3g}, {row.rounds} rounds"
    return [
        row.label,
        "" if row.threads is None else str(row.threads),
        "" if row.milliseconds is None else f"{row.milliseconds:.4g}",
        spread,
        *(["" if row.joules is None else f"{row.joules:.3g}"] if metered else []),
        "" if row.share_of_peak is None else f"{row.share_of_peak:.2f}",
        f"{row.bytes / 1e6:.2f} MB",
        "" if row.memory is None else f"{row.memory / 1e6:.0f} MB",
        "" if row.psnr is None else f"{row.psnr:.2f}",
        "" if row.psnr_vs_torch is None else f"{row.psnr_vs_torch:.1f} dB",
        row.note,
    ]


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _save_picture(measured: Bench, path: Path, run: str) -> Path | None:
    """Plot PSNR against size and against latency; return the file, or None if no PSNR is known."""
    from nfcore.measuring.plots import Panel, Point, save_plot

    known = [row for row in measured.rows if row.psnr is not None]
    sizes = {row.label: Point(row.label, row.bytes / 1e6, row.psnr or 0.0) for row in known}
    times = [
        Point(f"{row.label}, {_threads(row.threads or 1)}", row.milliseconds, row.psnr or 0.0)
        for row in known
        if row.milliseconds is not None
    ]
    panels = [Panel("size, MB", list(sizes.values())), Panel("latency of one image, ms", times)]
    return path if save_plot(path, f"{run}: quality against cost; the line is the Pareto front", panels) else None
