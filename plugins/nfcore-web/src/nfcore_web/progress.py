"""The progress of a run, read from its folder while another process writes there."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

#: The run's report, which the core writes at a run's end.
REPORT = "report.html"

# Enough for a curve on a screen.
_POINTS = 400
# Bytes to read from the end of a long log; a line is about 60 bytes.
_LAST_BYTES = 4 << 20


def progress(folder: Path) -> dict[str, Any]:
    """Return the reports of the run in ``folder``.

    ``stage``, ``step`` and ``psnr`` (dB) of the last report, ``idle`` seconds since then, ``finished`` stages,
    ``curves`` (stage to [step, PSNR] points), ``previews`` (name and version of each picture), ``results`` (PSNR
    of ``teacher`` and ``student`` on the test views in dB, and ``seconds``, as far as they are known), and whether
    there is a ``report``.
    """
    reports = _reports(folder / "metrics.jsonl")
    last = reports[-1] if reports else {}
    return {
        "stage": last.get("stage"),
        "step": last.get("step"),
        "psnr": last.get("psnr"),
        "idle": _idle(folder / "metrics.jsonl"),
        "finished": _finished(folder / "state" / "results.json"),
        "curves": _curves(reports),
        "previews": [
            {"name": path.stem, "version": path.stat().st_mtime_ns} for path in previews(folder).values()
        ],
        "results": _results(folder / "summary.json"),
        "report": (folder / REPORT).is_file(),
    }


def previews(folder: Path) -> dict[str, Path]:
    """Return the run's preview pictures by file name."""
    return {path.name: path for path in sorted((folder / "previews").glob("*.png")) if path.is_file()}


def _reports(path: Path) -> list[dict[str, Any]]:
    """Return the last reports; an incomplete line is left for the next time."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _LAST_BYTES))
        lines = file.read().split(b"\n")[1 if size > _LAST_BYTES else 0 : -1]
    found = []
    for line in lines:
        try:
            report = json.loads(line)
        except (ValueError, RecursionError):  # a run that was killed may leave half a line behind
            continue
        if isinstance(report, dict) and isinstance(report.get("step"), int):
            found.append(report)
    return found


def _curves(reports: list[dict[str, Any]]) -> dict[str, list[list[float]]]:
    curves: dict[str, list[list[float]]] = {}
    for report in reports:
        if isinstance(report.get("psnr"), int | float):
            curves.setdefault(str(report.get("stage")), []).append([report["step"], report["psnr"]])
    return {stage: points[:: -(-len(points) // _POINTS)] for stage, points in curves.items()}


def _finished(path: Path) -> list[str]:
    return list(json.loads(path.read_text())) if path.is_file() else []


def _results(path: Path) -> dict[str, float]:
    summary = json.loads(path.read_text()) if path.is_file() else {}
    names = {"teacher": "teacher.test.psnr", "student": "student.test.psnr", "seconds": "seconds.total"}
    return {name: summary[key] for name, key in names.items() if key in summary}


def _idle(path: Path) -> int | None:
    return max(0, round(time.time() - path.stat().st_mtime)) if path.is_file() else None
