"""The tables at the end of a run: quality of teacher and student, size and quality of exports."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nfcore.cli.output import print_table
from nfcore.runs.results import scored_views


def print_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Print the ``summary.json`` of the run in ``folder``: teacher and student, and exports."""
    rows = [
        _quality("teacher", summary, "teacher.test", _parameters(summary, "teacher")),
        _quality("student, distilled", summary, "student.distilled", ""),
        _quality("student, fine-tuned", summary, "student.test", _parameters(summary, "student")),
    ]
    rows = [row for row in rows if any(row[1:])]  # stages without results have no row
    where = f"{summary.get('scene', '')} at {summary.get('image_size')} pixels"
    parts = [where, *scored_views(summary), f"{summary['seconds.total']:.0f} s"]
    columns = ["", "PSNR dB", "SSIM", "LPIPS", "size"]
    if not any(key.endswith(".lpips") for key in summary):
        columns, rows = _without(3, [columns, *rows])
    print_table(columns, rows, f"{folder.name}: {', '.join(parts)}")
    print_exports("exports", summary, folder / "exports")


def print_exports(title: str, summary: dict[str, Any], folder: Path) -> None:
    """Print the entries ``export.<label>.<name>`` for the exports in ``folder`` as a table, if there are any."""
    labels = [key[len("export.") : -len(".bytes")] for key in summary if re.fullmatch(r"export\..+\.bytes", key)]
    if not labels:
        return
    columns = ["", "size", "precision", "dB against torch", "max error", "dB against photos", "run by", "where"]
    rows = [_export(label, summary, folder) for label in labels]
    print_table(columns, rows, title)


def _without(column: int, rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    heading, *others = ([*row[:column], *row[column + 1 :]] for row in rows)
    return heading, others


def _quality(name: str, summary: dict[str, Any], scores: str, size: str) -> list[str]:
    figures = (("psnr", ".2f"), ("ssim", ".4f"), ("lpips", ".4f"))
    return [name, *(_number(summary, f"{scores}.{metric}", form) for metric, form in figures), size]


def _parameters(summary: dict[str, Any], part: str) -> str:
    text = _number(summary, f"{part}.parameters", ",", " parameters")
    macs = summary.get(f"{part}.macs")
    read = summary.get(f"{part}.look_up_bytes")
    text += "" if macs is None else f", {macs / 1e9:.3g} GMAC"
    return text + (f", {read / 1e6:.3g} MB of look-ups" if read else "")


def _export(label: str, summary: dict[str, Any], folder: Path) -> list[str]:
    of = f"export.{label}"
    torch_too = _number(summary, f"{of}.torch_psnr_vs_photos", ".2f")
    unverified = summary.get(f"{of}.not_verified", "")
    return [
        label,
        f"{summary[f'{of}.bytes'] / 1e6:.2f} MB",
        str(summary.get(f"{of}.precision", "")),
        _number(summary, f"{of}.psnr_vs_torch", ".1f"),
        _number(summary, f"{of}.max_error", ".1e"),
        _number(summary, f"{of}.psnr_vs_photos", ".2f") + (f" (torch {torch_too})" if torch_too else ""),
        str(summary.get(f"{of}.verified_by", f"not verified: {unverified}")),
        str(folder / label),
    ]


def _number(summary: dict[str, Any], key: str, form: str, unit: str = "") -> str:
    return f"{summary[key]:{form}}{unit}" if key in summary else ""
