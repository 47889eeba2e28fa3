"""The report of a sweep: a table, a Markdown report, and both as data."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from nfcore.io import write_atomic, write_json
from nfcore.runtime import markdown, markdown_table
from nfcore_ray.messages import STATE
from nfcore_ray.run_status import RunStatus, counted

#: The table's columns after the run's name and state: heading, figure of ``summary.json``, format.
FIGURES = (
    ("teacher dB", "teacher.test.psnr", ".2f"),
    ("student dB", "student.test.psnr", ".2f"),
    ("SSIM", "student.test.ssim", ".4f"),
    ("seconds", "seconds.total", ".0f"),
)
#: What the table of means shows.
MEANS = (
    "PSNR on the test views, dB, of the student, or of the teacher of a run without one: means over seeds, with "
    "their standard deviation and number where there are several"
)
# Each run's comparison image, relative to the sweep's folder.
_PICTURE = "{}/previews/comparison.png"
COLUMNS = ["run", "state", *(heading for heading, _, _ in FIGURES)]


def write_report(folder: Path, statuses: list[RunStatus]) -> None:
    """Write ``sweep.json`` and ``report.md`` into ``folder``, each atomically."""
    write_json(folder / "sweep.json", as_data(statuses))
    write_atomic(folder / "report.md", as_markdown(folder, statuses))


def as_data(statuses: list[RunStatus]) -> dict[str, Any]:
    """Return the sweep as JSON values; what was not measured is absent."""
    counts = {state: sum(s.state == state for s in statuses) for state in ("done", "failed", "running", "waiting")}
    return {**counts, "runs": [_run(status) for status in statuses]}


def _run(status: RunStatus) -> dict[str, Any]:
    entry = status.run.entry
    values = {
        "name": status.run.name,
        "recipe": entry.recipe,
        "scene": entry.scene,
        "variant": entry.variant,
        "seed": entry.seed,
        "set": list(entry.set) or None,
        "state": status.state,
        "attempts": status.attempts,
        "error": status.error,
        "figures": status.figures,
    }
    return {name: value for name, value in values.items() if value is not None}


def rows(statuses: list[RunStatus]) -> list[list[str]]:
    """Return the table's rows, one per run."""
    return [
        [status.run.name, status.state, *(_figure(status, name, form) for _, name, form in FIGURES)]
        for status in statuses
    ]


def _figure(status: RunStatus, name: str, form: str) -> str:
    value = status.figure(name)
    return "" if value is None else f"{value:{form}}"


def as_markdown(folder: Path, statuses: list[RunStatus]) -> str:
    """Return the report: all runs, means over seeds and scenes, and errors."""
    table = [[_linked(folder, name), *figures] for name, *figures in rows(statuses)]
    parts = [f"# {markdown(folder.name)}", counted(statuses) + ".", markdown_table(COLUMNS, table)]
    means = [[markdown(cell) for cell in row] for row in mean_rows(statuses)]
    if means:
        parts += [
            "## Means",
            f"{MEANS}.",
            markdown_table(means[0], means[1:]),
        ]
    wrong = [status for status in statuses if status.error is not None]
    if wrong:
        parts += ["## What went wrong", "\n".join(f"- {_wrong(folder, status)}" for status in wrong)]
    names = [status.run.name for status in statuses]
    shown = [
        f"{markdown(name)}\n\n![{markdown(name)}]({_PICTURE.format(name)})"
        for name in names
        if (folder / _PICTURE.format(name)).is_file()
    ]
    if shown:
        parts += ["## A test view of each: student (if any), teacher, photo", *shown]
    return "\n\n".join(parts) + "\n"


def _linked(folder: Path, name: str) -> str:
    """Return a run's name, as a link to its report if there is one."""
    text = markdown(name)
    return f"[{text}]({name}/report.html)" if (folder / name / "report.html").is_file() else text


def _wrong(folder: Path, status: RunStatus) -> str:
    trace = folder / STATE / f"{status.run.name}.error.txt"
    where = f" ([traceback]({STATE}/{trace.name}))" if trace.exists() else ""
    attempts = f"{status.attempts} attempt{'s' * (status.attempts != 1)}"
    return f"{markdown(status.run.name)} ({status.state}, {attempts}): {markdown(status.error)}{where}"


def mean_rows(statuses: list[RunStatus]) -> list[list[str]]:
    """Return a table of PSNR with its heading: a row per recipe and variant, a column per scene.

    Empty where each recipe and variant has one run: there is nothing to average.
    """
    scored: dict[str, dict[str, dict[int | None, float]]] = {}
    for status in statuses:
        psnr, entry = status.psnr(), status.run.entry
        if psnr is not None and status.figures is not None:
            method = " ".join(filter(None, (entry.recipe, entry.variant, *(() if entry.variant else entry.set))))
            scene = entry.scene or str(status.figures.get("scene", ""))
            scored.setdefault(method, {}).setdefault(scene, {})[entry.seed] = psnr
    if len(scored) < 2 and sum(len(seeds) for row in scored.values() for seeds in row.values()) < 2:
        return []
    scenes = list(dict.fromkeys(scene for row in scored.values() for scene in row))
    table = [["", *scenes, "mean"]]
    for method, row in scored.items():
        cells = [_mean(list(row[scene].values())) if scene in row else "" for scene in scenes]
        complete = len(row) == len(scenes)  # a mean over fewer scenes would not be comparable
        table.append([method, *cells, _mean_over_scenes(list(row.values())) if complete else ""])
    return table


def _mean_over_scenes(scenes: list[dict[int | None, float]]) -> str:
    """Return the mean over scenes; with the spread over seeds where all scenes have the same ones."""
    seeds = scenes[0].keys()
    if all(scene.keys() == seeds for scene in scenes):
        return _mean([statistics.mean(scene[seed] for scene in scenes) for seed in seeds])
    return _mean([statistics.mean(statistics.mean(scene.values()) for scene in scenes)])


def _mean(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f} ({len(values)})"
