"""The table at the end of a run."""

from __future__ import annotations

from typing import Any

from nfcore.cli.output import print_table


def print_summary(title: str, summary: dict[str, Any]) -> None:
    """Print what ``summary.json`` holds as one table: a row for teacher, student and each export."""
    labels = [key.split(".")[1] for key in summary if key.startswith("export.") and key.endswith(".bytes")]
    rows = [
        _quality("teacher", summary, "teacher.test", "teacher.parameters"),
        _quality("student, distilled", summary, "student.distilled", None),
        _quality("student", summary, "student.test", "student.parameters", "student.macs"),
        *(_export(label, summary) for label in labels),
    ]
    columns = ["", "PSNR dB", "SSIM", "parameters", "MAC/image", "size", "against torch", "verified by"]
    size, seconds = summary.get("image_size"), summary.get("seconds.total")
    print_table(columns, rows, f"{title}: {summary.get('scene', '')} at {size} pixels, {seconds:.0f} s")


def _quality(
    name: str, summary: dict[str, Any], scores: str, parameters: str | None, macs: str | None = None
) -> list[str | None]:
    return [
        name,
        _number(summary.get(f"{scores}.psnr"), "{:.2f}"),
        _number(summary.get(f"{scores}.ssim"), "{:.4f}"),
        _number(summary.get(parameters or ""), "{:,}"),
        _count(summary.get(macs or "")),
        None,
        None,
        None,
    ]


def _export(label: str, summary: dict[str, Any]) -> list[str | None]:
    def figure(name: str) -> Any:
        return summary.get(f"export.{label}.{name}")

    parity = None
    if figure("psnr_vs_torch") is not None:
        parity = f"{figure('psnr_vs_torch'):.1f} dB, max error {figure('max_error'):.1e}"
    verified = figure("verified_by") or f"not verified: {figure('not_verified')}"
    size = f"{figure('bytes') / 1e6:.2f} MB"
    return [label, None, None, None, None, size, parity, verified]


def _number(value: float | None, form: str) -> str | None:
    return None if value is None else form.format(value)


def _count(value: int | None) -> str | None:
    if value is None:
        return None
    return f"{value / 1e9:.2f} G" if value >= 1e9 else f"{value / 1e6:.0f} M"
