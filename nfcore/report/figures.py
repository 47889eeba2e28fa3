"""The figures in the report, as text: headline, quality, views, times, sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nfcore.config.schema import PipelineConfig
from nfcore.config.stages import stages_of
from nfcore.evaluation.per_view_scores import ViewScore

Summary = Mapping[str, Any]

#: What each stage does, for readers who don't know the documentation.
ABOUT: Mapping[str, str] = {
    "teach": "fits the teacher to the photos",
    "distill": "trains the student on views that the teacher renders",
    "finetune": "trains the student on the photos",
    "evaluate": "scores what was learned on test photos",
    "render": "renders a comparison and an orbit",
    "export": "writes what was learned for its targets and compares the files with torch",
}
_METRICS = {
    "psnr": ("PSNR, dB", ".2f"),
    "psnr_cc": ("PSNR, colour-corrected, dB", ".2f"),
    "ssim": ("SSIM", ".4f"),
    "lpips": ("LPIPS", ".4f"),
}
_SCORED = {
    "teacher.test": "Teacher",
    "student.distilled": "Student, distilled",
    "student.test": "Student, fine-tuned",
}


@dataclass(frozen=True)
class Tile:
    """One figure of the headline."""

    name: str
    value: str
    unit: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: headings, and rows whose first cell names the row."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class StageTime:
    """How long a stage took, in seconds, and as a share of the longest (0 to 1)."""

    name: str
    seconds: float
    share: float


@dataclass(frozen=True)
class StageState:
    """Whether a stage is finished."""

    name: str
    about: str
    finished: bool


def tiles(summary: Summary) -> Iterator[Tile]:
    """Yield the headline's figures that are known: the student's, or where there is none the teacher's."""
    who = "student" if any(key.startswith("student.") for key in summary) else "teacher"
    known = (
        (f"{who}.test.psnr", f"{who.capitalize()} PSNR", "dB", ".2f", 1.0),
        (f"{who}.test.ssim", f"{who.capitalize()} SSIM", "", ".4f", 1.0),
        (f"{who}.test.lpips", f"{who.capitalize()} LPIPS", "", ".4f", 1.0),
        ("teacher.test.psnr", "Teacher PSNR", "dB", ".2f", 1.0),
        (f"{who}.parameters", "Parameters", "M", ".2f", 1e-6),
        (f"{who}.macs", "Multiply-adds", "G", ".3g", 1e-9),
    )
    for key, name, unit, form, factor in dict.fromkeys(known):
        if key in summary:
            yield Tile(name, f"{summary[key] * factor:{form}}", unit)
    if summary.get("seconds.total"):
        yield Tile("Time", duration(summary["seconds.total"]))


def quality(summary: Summary) -> Grid | None:
    """Return the mean scores of what was scored; None before that."""
    metrics = [m for m in _METRICS if f"teacher.test.{m}" in summary]
    if not metrics:
        return None
    headings = ("Mean over the test views", *(_METRICS[metric][0] for metric in metrics))
    rows = [
        (name, *(_number(summary, f"{scored}.{metric}", _METRICS[metric][1]) for metric in metrics))
        for scored, name in _SCORED.items()
        if f"{scored}.{metrics[0]}" in summary
    ]
    return Grid(headings, tuple(rows))


def notes(summary: Summary) -> Iterator[str]:
    """Yield a sentence about the effect of fine-tuning."""
    if summary.get("student.finetuning_kept") is False:
        yield "Fine-tuning gained nothing on validation images, so the student is the distilled one."
    elif "student.finetuning_best_step" in summary:
        step = summary["student.finetuning_best_step"]
        yield f"The student is that of fine-tuning's step {step}, the best on validation images."


def worst_first(scores: Sequence[ViewScore]) -> list[ViewScore]:
    """Return the views by PSNR, of the student if there is one, the worst first."""

    def psnr(row: ViewScore) -> float:
        return row.scores.get("student.test.psnr", row.scores.get("teacher.test.psnr", 0.0))

    return sorted(scores, key=psnr)


def views_worst_first(scores: Sequence[ViewScore]) -> Grid | None:
    """Return each test view's scores, the worst view first; None without any."""
    if not scores:
        return None
    columns = [
        ("student.test.psnr", "Student PSNR, dB", ".2f"),
        ("student.test.ssim", "Student SSIM", ".4f"),
        ("student.test.lpips", "Student LPIPS", ".4f"),
        ("student.distilled.psnr", "Distilled PSNR, dB", ".2f"),
        ("teacher.test.psnr", "Teacher PSNR, dB", ".2f"),
        ("teacher.test.ssim", "Teacher SSIM", ".4f"),
    ]
    columns = [column for column in columns if column[0] in scores[0].scores]
    rows = [
        (row.view, *(_number(row.scores, key, form) for key, _, form in columns)) for row in worst_first(scores)
    ]
    return Grid(("View", *(title for _, title, _ in columns)), tuple(rows))


def times(summary: Summary) -> list[StageTime]:
    """Return how long each finished stage took."""
    seconds = {
        key.removeprefix("seconds."): float(value)
        for key, value in summary.items()
        if key.startswith("seconds.") and key != "seconds.total"
    }
    longest = max(seconds.values(), default=0.0) or 1.0
    return [StageTime(name, value, value / longest) for name, value in seconds.items()]


def states(config: PipelineConfig, results: Mapping[str, object]) -> list[StageState]:
    """Return which of a pipeline's stages are finished; ``export`` is when all of its exports are."""

    def finished(stage: str) -> bool:
        needed = [f"export.{label}" for label in config.export] if stage == "export" else [stage]
        return all(name in results for name in needed)

    stages = [stage for stage in stages_of(config) if stage != "export" or config.export]
    return [StageState(stage, ABOUT[stage], finished(stage)) for stage in stages]


def duration(seconds: float) -> str:
    """Return a duration as text.

    >>> duration(42), duration(200), duration(7500)
    ('42 s', '3 min 20 s', '2 h 05 min')
    """
    if round(seconds) < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def day(moment: datetime) -> str:
    """Return a time as text, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def size(count: int) -> str:
    """Return a file's size as text.

    >>> size(1_250_000)
    '1.25 MB'
    """
    return f"{count / 1e6:.2f} MB" if count >= 10_000 else f"{count / 1e3:.2f} kB"


def _number(figures: Mapping[str, Any], key: str, form: str) -> str:
    return f"{figures[key]:{form}}" if key in figures else ""
