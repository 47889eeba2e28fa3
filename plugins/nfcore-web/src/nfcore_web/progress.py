"""The progress of a run, read from its folder while another process writes there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from nfcore import UserError
from nfcore.io import inside
from nfcore.runs import Report, Run, read_reports

#: The run's report, which the core writes at a run's end.
REPORT = "report.html"

# Enough for a curve on a screen.
_POINTS = 400
# Bytes to read from the end of a long log; a line is about 60 bytes.
_LAST_BYTES = 4 << 20


def progress(run: Run) -> dict[str, Any]:
    """Return the reports of ``run``.

    ``stage``, ``step`` and ``psnr`` (dB) of the last report, ``idle`` seconds since then, ``finished`` stages,
    ``curves`` (stage to [step, PSNR] points), ``previews`` (name and version of each picture), ``results`` (PSNR
    of ``teacher`` and ``student`` on the test views in dB, and ``seconds``, as far as they are known), whether
    there is a ``report``, and a ``problem`` if a file of the run is damaged.
    """
    problem = None
    finished: dict[str, Any] = {}
    reports: list[Report] = []
    try:
        reports = read_reports(run.metrics_file, _LAST_BYTES)
        finished = run.finished
    except UserError as error:
        problem = str(error)
    summary = run.summary() if finished else {}
    names = {"teacher": "teacher.test.psnr", "student": "student.test.psnr", "seconds": "seconds.total"}
    last = reports[-1] if reports else None
    return {
        "stage": last.stage if last else None,
        "step": last.step if last else None,
        "psnr": last.scalars.get("psnr") if last else None,
        "idle": _idle(run.metrics_file),
        "finished": list(finished),
        "curves": _curves(reports),
        "previews": [
            {"name": path.stem, "version": path.stat().st_mtime_ns} for path in previews(run.folder).values()
        ],
        "results": {name: summary[key] for name, key in names.items() if key in summary},
        "report": inside(run.folder / REPORT, run.folder),
        "problem": problem,
    }


def previews(folder: Path) -> dict[str, Path]:
    """Return the run's preview pictures by file name; links that lead out of the run's folder are left out."""
    return {path.name: path for path in sorted((folder / "previews").glob("*.png")) if inside(path, folder)}


def _curves(reports: list[Report]) -> dict[str, list[list[float]]]:
    curves: dict[str, list[list[float]]] = {}
    for report in reports:
        if "psnr" in report.scalars:
            curves.setdefault(report.stage, []).append([report.step, report.scalars["psnr"]])
    return {stage: points[:: -(-len(points) // _POINTS)] for stage, points in curves.items()}


def _idle(path: Path) -> int | None:
    return max(0, round(time.time() - path.stat().st_mtime)) if path.is_file() else None
