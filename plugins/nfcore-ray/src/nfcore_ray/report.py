"""The end of a sweep: one table, one report in Markdown, and both as data."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from nfcore.io import write_atomic, write_json
from nfcore_ray.messages import STATE
from nfcore_ray.standing import Standing, counted

#: The table's columns after the run's name and state: heading, figure of ``summary.json``, form.
FIGURES = (
    ("teacher dB", "teacher.test.psnr", ".2f"),
    ("student dB", "student.test.psnr", ".2f"),
    ("SSIM", "student.test.ssim", ".4f"),
    ("seconds", "seconds.total", ".0f"),
)
# What each run shows at its end, in the sweep's folder.
_PICTURE = "{}/previews/comparison.png"
COLUMNS = ["run", "state", *(heading for heading, _, _ in FIGURES)]


def write_report(folder: Path, standings: list[Standing]) -> None:
    """Write ``sweep.json`` and ``report.md`` into ``folder``, each whole."""
    write_json(folder / "sweep.json", as_data(standings))
    write_atomic(folder / "report.md", as_markdown(folder, standings))


def as_data(standings: list[Standing]) -> dict[str, Any]:
    """Return the sweep as JSON holds it; what was not measured is absent."""
    counts = {
        state: sum(s.state == state for s in standings) for state in ("done", "failed", "running", "waiting")
    }
    return {**counts, "runs": [_run(standing) for standing in standings]}


def _run(standing: Standing) -> dict[str, Any]:
    entry = standing.run.entry
    values = {
        "name": standing.run.name,
        "recipe": entry.recipe,
        "scene": entry.scene,
        "variant": entry.variant,
        "seed": entry.seed,
        "set": list(entry.set) or None,
        "state": standing.state,
        "attempts": standing.attempts,
        "error": standing.error,
        "figures": standing.figures,
    }
    return {name: value for name, value in values.items() if value is not None}


def rows(standings: list[Standing]) -> list[list[str]]:
    """Return the table's rows, one for each run."""
    return [
        [standing.run.name, standing.state, *(_figure(standing, name, form) for _, name, form in FIGURES)]
        for standing in standings
    ]


def _figure(standing: Standing, name: str, form: str) -> str:
    value = standing.figure(name)
    return "" if value is None else f"{value:{form}}"


def as_markdown(folder: Path, standings: list[Standing]) -> str:
    """Return the report: all runs, means over seeds and scenes, and what went wrong."""
    table = [[_linked(folder, name), *figures] for name, *figures in rows(standings)]
    parts = [f"# {folder.name}", counted(standings) + ".", _table(COLUMNS, table)]
    means = mean_rows(standings)
    if len(means) > 2:
        parts += [
            "## The student's PSNR on the test views, dB",
            "Means over seeds, with their standard deviation and number where there are several.",
            _table(means[0], means[1:]),
        ]
    wrong = [standing for standing in standings if standing.error is not None]
    if wrong:
        parts += ["## What went wrong", "\n".join(f"- {_wrong(folder, standing)}" for standing in wrong)]
    names = [standing.run.name for standing in standings]
    shown = [
        f"{name}\n\n![{name}]({_PICTURE.format(name)})"
        for name in names
        if (folder / _PICTURE.format(name)).is_file()
    ]
    if shown:
        parts += ["## A test view of each: student, teacher, photo", *shown]
    return "\n\n".join(parts) + "\n"


def _linked(folder: Path, name: str) -> str:
    """Return a run's name, as a link to its own report where it has one."""
    return f"[{name}]({name}/report.html)" if (folder / name / "report.html").is_file() else name


def _wrong(folder: Path, standing: Standing) -> str:
    trace = folder / STATE / f"{standing.run.name}.error.txt"
    where = f" ([traceback]({STATE}/{trace.name}))" if trace.exists() else ""
    attempts = f"{standing.attempts} attempt{'s' * (standing.attempts != 1)}"
    return f"`{standing.run.name}` ({standing.state}, {attempts}): {standing.error}{where}"


def mean_rows(standings: list[Standing]) -> list[list[str]]:
    """Return a table of PSNR, its heading first: a row for each recipe and variant, a column for each scene."""
    scored: dict[str, dict[str, list[float]]] = {}
    for standing in standings:
        psnr, entry = standing.figure("student.test.psnr"), standing.run.entry
        if psnr is not None and standing.figures is not None:
            method = " ".join(filter(None, (entry.recipe, entry.variant, *(() if entry.variant else entry.set))))
            scene = entry.scene or str(standing.figures.get("scene", ""))
            scored.setdefault(method, {}).setdefault(scene, []).append(psnr)
    scenes = list(dict.fromkeys(scene for row in scored.values() for scene in row))
    table = [["", *scenes, "mean"]]
    for method, row in scored.items():
        cells = [_mean(row[scene]) if scene in row else "" for scene in scenes]
        whole = len(row) == len(scenes)  # a mean over fewer scenes would not compare
        mean = f"{statistics.mean(map(statistics.mean, row.values())):.2f}" if whole else ""
        table.append([method, *cells, mean])
    return table


def _mean(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f} ({len(values)})"


def _table(heading: list[str], body: list[list[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
