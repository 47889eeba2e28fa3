"""What stands in a report, gathered from the run's folder; what is not there yet is said, not guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from nfcore.errors import NfcoreError
from nfcore.evaluation.per_view_scores import ViewScore, read_view_scores
from nfcore.report import curves as drawing
from nfcore.report import exports, figures, pictures, settings
from nfcore.report.curves import Curve
from nfcore.report.exports import ShownExport
from nfcore.report.figures import Grid, StageState, StageTime, Tile
from nfcore.report.pictures import ShownView
from nfcore.report.settings import Group
from nfcore.runs import Stages
from nfcore.runs.provenance import Command, Provenance


@dataclass(frozen=True)
class Contents:
    """All that a report says.

    Args:
        name: the run's.
        about: one line on the recipe, or nothing.
        facts: scene, size and test views, as far as they are known.
        states: which stages are finished.
        tiles: the headline's figures.
        views: the test views with pictures, the worst first.
        no_pictures: why there are none, or nothing.
        video: the orbit as a ``data:`` address, or None.
        quality: mean scores, or None.
        notes: what these scores do not say.
        scores: each view's scores, or None.
        exports: what was exported.
        psnr: learning curves.
        more_curves: those of loss and learning rate.
        times: of the stages.
        groups: the settings.
        origins_known: whether the run knows what gave each setting its value.
        recipe: the whole configuration, as a recipe file.
        commands: what made the run, in this order.
        written: when, in UTC.
        nfcore: the version that wrote the report.

    """

    name: str
    about: str
    facts: tuple[str, ...]
    states: tuple[StageState, ...]
    tiles: tuple[Tile, ...]
    views: tuple[ShownView, ...]
    no_pictures: str
    video: str | None
    quality: Grid | None
    notes: tuple[str, ...]
    scores: Grid | None
    exports: tuple[ShownExport, ...]
    psnr: tuple[Curve, ...]
    more_curves: tuple[Curve, ...]
    times: tuple[StageTime, ...]
    groups: tuple[Group, ...]
    origins_known: bool
    recipe: str
    commands: tuple[Command, ...]
    written: str
    nfcore: str


def gather(stages: Stages) -> Contents:
    """Return what is known of a run, finished or not.

    The pictures need the scene's photos; a report of a run whose photos are gone says so and has the rest.

    Raises:
        UserError: a file of the run is damaged.

    """
    run = stages.run
    summary = run.summary()
    provenance = Provenance.read(run.folder)
    rows = drawing.read_metrics(run.folder / "metrics.jsonl")
    scores = read_view_scores(run.view_scores) if "evaluate" in run.results else []  # else they are of before
    views, no_pictures = _pictures(stages, scores)
    return Contents(
        name=run.folder.resolve().name,
        about=run.config.summary,
        facts=tuple(_facts(summary)),
        states=tuple(figures.states(run.results, list(run.config.export))),
        tiles=tuple(figures.tiles(summary)),
        views=views,
        no_pictures=no_pictures,
        video=pictures.video_uri(run.folder / "previews" / "orbit.mp4"),
        quality=figures.quality(summary),
        notes=tuple(figures.notes(summary)),
        scores=figures.views_worst_first(scores),
        exports=tuple(exports.shown_exports(run.exports, run.config.export)),
        psnr=tuple(drawing.curves(rows, drawing.PSNR)),
        more_curves=tuple(
            curve for quantity in (drawing.LOSS, drawing.RATE) for curve in drawing.curves(rows, quantity)
        ),
        times=tuple(figures.times(summary)),
        groups=tuple(settings.groups(run.config, provenance.origins, stages.manager)),
        origins_known=bool(provenance.origins),
        recipe=run.config_file.read_text(encoding="utf-8"),
        commands=provenance.commands,
        written=figures.day(datetime.now(UTC)),
        nfcore=version("neural-field-core"),
    )


def _pictures(stages: Stages, scores: Sequence[ViewScore]) -> tuple[tuple[ShownView, ...], str]:
    """Return the shown views, or why there are none."""
    finished = stages.run.results
    if "teach" not in finished:
        return (), "There are none before the teacher is fitted."
    try:
        teacher = stages.fitted_teacher
        student = stages.finished_student if "finetune" in finished else None
        views = stages.source.views("test")
        chosen = pictures.chosen_views(scores, len(views))
        return tuple(pictures.shown_views(student, teacher, views, chosen)), ""
    except (NfcoreError, OSError) as error:
        return (), f"There are none: {error}"


def _facts(summary: dict[str, Any]) -> list[str]:
    facts = []
    if "scene" in summary:
        facts.append(f"scene {summary['scene']}")
    if "image_size" in summary:
        facts.append(f"{summary['image_size']} pixels")
    if "test_views" in summary:
        protocol = summary["protocol"]
        facts.append(f"{summary['test_views']} test views{'' if protocol == 'all' else f' ({protocol})'}")
    return facts
