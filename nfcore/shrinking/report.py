"""The candidates and the choice, as data and as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from nfcore.exports.reference import Reference
from nfcore.measuring.plots import Panel, Point, save_plot
from nfcore.shrinking.candidates import pareto
from nfcore.shrinking.pareto_selection import Limits, Measured
from nfcore.shrinking.quality import Score


@dataclass(frozen=True)
class ChosenExport:
    """The chosen package, as an export of its run.

    Args:
        label: the export's label.
        chosen: the package's measurements.
        score: its quality on the validation images.
        on_test: the quality of the run's export on the test views.

    """

    label: str
    chosen: Measured
    score: Score
    on_test: Score


def as_data(
    run: str, reference: Reference, limits: Limits, measured: Sequence[Measured], kept: ChosenExport | None
) -> dict[str, Any]:
    """Return the results as JSON values, without ``chosen`` if no package is within the limits."""
    data: dict[str, Any] = {
        "run": run,
        "limits": {name: value for name, value in asdict(limits).items() if value is not None},
        "validation": {"images": len(reference.torch_psnr), "torch_psnr": mean(reference.torch_psnr)},
        "packages": [_package(one) for one in measured],
        "pareto": [measured.index(one) for one in pareto(measured)],
    }
    if kept is not None:
        data["chosen"] = {
            "export": kept.label,
            "package": measured.index(kept.chosen),
            "validation_loss": kept.score.loss,
            "test_loss": kept.on_test.loss,
            "test_psnr": kept.on_test.psnr,
        }
    return data


def save_picture(path: Path, run: str, measured: Sequence[Measured], kept: ChosenExport | None) -> bool:
    """Plot PSNR against size, and against latency if measured; return whether there was anything to plot."""
    usable = [(one, one.score.psnr) for one in measured if one.score is not None and not one.refused]
    chosen = kept and kept.chosen
    sizes = [Point(one.label, one.bytes / 1e6, psnr, one is chosen) for one, psnr in usable]
    times = [
        Point(one.label, 1e3 * one.seconds, psnr, one is chosen) for one, psnr in usable if one.seconds is not None
    ]
    title = f"{run}: candidates; the line is the Pareto front, the choice is red"
    return save_plot(path, title, [Panel("size, MB", sizes), Panel("latency of one image, ms", times)])


def _package(one: Measured) -> dict[str, Any]:
    described = {
        "exporter": one.choice.name,
        "options": one.choice.options,
        "precision": one.precision,
        "bytes": one.bytes,
        "refused": one.refused,
        "seconds": one.seconds,
        "bits": one.bits,
        **(asdict(one.score) if one.score else {}),
    }
    return {name: value for name, value in described.items() if value is not None}
