"""The table at the end of a run."""

from __future__ import annotations

from typing import Any

from nfcore.cli.output import print_table


def print_summary(title: str, summary: dict[str, Any]) -> None:
    """Print what ``summary.json`` holds as one table: a row for the teacher, the student and each export."""
    labels = [key.split(".")[1] for key in summary if key.startswith("export.") and key.endswith(".bytes")]
    rows = [
        _quality("teacher", summary, "teacher.test", _parameters(summary, "teacher")),
        _quality("student, distilled", summary, "student.distilled", ""),
        _quality("student, fine-tuned", summary, "student.test", _parameters(summary, "student")),
        *(_export(label, summary) for label in labels),
    ]
    where = f"{summary.get('scene', '')} at {summary.get('image_size')} pixels"
    parts = [where, *test_views(summary), f"{summary['seconds.total']:.0f} s"]
    columns = ["", "PSNR dB", "SSIM", "LPIPS", "size", "exports: PSNR is against torch"]
    if not any(key.endswith(".lpips") for key in summary):
        columns, rows = _without(3, [columns, *rows])
    print_table(columns, rows, f"{title}: {', '.join(parts)}")


def test_views(summary: dict[str, Any]) -> list[str]:
    """Return how many test views were scored, and by which protocol if not all were; nothing if none were."""
    if "test_views" not in summary:
        return []
    protocol = summary["protocol"]
    return [f"{summary['test_views']} test views{'' if protocol == 'all' else f' ({protocol})'}"]


def _without(column: int, rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    heading, *others = ([*row[:column], *row[column + 1 :]] for row in rows)
    return heading, others


def _quality(name: str, summary: dict[str, Any], scores: str, size: str) -> list[str]:
    figures = (("psnr", ".2f"), ("ssim", ".4f"), ("lpips", ".4f"))
    return [name, *(_number(summary, f"{scores}.{metric}", form) for metric, form in figures), size, ""]


def _parameters(summary: dict[str, Any], part: str) -> str:
    text = _number(summary, f"{part}.parameters", ",", " parameters")
    macs = summary.get(f"{part}.macs")
    return text if macs is None else f"{text}, {macs / 1e9:.3g} GMAC"


def _export(label: str, summary: dict[str, Any]) -> list[str]:
    prefix = f"export.{label}"
    verified = summary.get(f"{prefix}.verified_by")
    error = _number(summary, f"{prefix}.max_error", ".1e")
    return [
        label,
        _number(summary, f"{prefix}.psnr_vs_torch", ".1f"),
        "",
        "",
        f"{summary[f'{prefix}.bytes'] / 1e6:.2f} MB",
        f"max error {error}, {verified}" if verified else f"not verified: {summary[f'{prefix}.not_verified']}",
    ]


def _number(summary: dict[str, Any], key: str, form: str, unit: str = "") -> str:
    return f"{summary[key]:{form}}{unit}" if key in summary else ""
