"""A run's ``report.html``: all that is known of the run, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nfcore import __version__
from nfcore.errors import NfcoreError
from nfcore.evaluation.per_view_scores import ViewScore, read_view_scores
from nfcore.io.atomic import write_atomic
from nfcore.io.files import read_text
from nfcore.report import Contents, ShownCommand, build_page, curves, exports, figures, pictures, settings
from nfcore.report.pictures import ShownView
from nfcore.runs.artifacts import Artifacts
from nfcore.runs.metrics_log import read_reports
from nfcore.runs.provenance import Provenance
from nfcore.runs.results import scored_views
from nfcore.runtime.plain_text import plain


def write_report(artifacts: Artifacts, path: Path | None = None) -> Path:
    """Write the report of a run, finished or not, and return its path.

    Args:
        artifacts: the run.
        path: the file; ``report.html`` in the run's folder by default.

    Raises:
        UserError: a file of the run is damaged.

    """
    path = path or artifacts.run.folder / "report.html"
    write_atomic(path, build_page(gather(artifacts)))
    return path


def gather(artifacts: Artifacts) -> Contents:
    """Return the contents of the report of a run, finished or not.

    Pictures need the scene's photos; without them the report says so and has everything else.

    Raises:
        UserError: a file of the run is damaged.

    """
    run = artifacts.run
    summary = run.summary()
    provenance = Provenance.read(run.folder)
    reports = read_reports(run.metrics_file)
    scores = read_view_scores(run.view_scores_file) if "evaluate" in run.finished else []  # else they are older
    views, no_pictures = _views(artifacts, scores)
    return Contents(
        name=plain(run.folder.resolve().name),
        about=run.config.summary,
        facts=tuple(_facts(summary)),
        states=tuple(figures.states(run.config, run.finished)),
        tiles=tuple(figures.tiles(summary)),
        views=views,
        no_pictures=no_pictures,
        video=pictures.video_uri(run.previews_folder / "orbit.mp4"),
        quality=figures.quality(summary),
        notes=tuple(figures.notes(summary)),
        scores=figures.views_worst_first(scores),
        exports=tuple(exports.shown_exports(run.exports_folder, run.config.export)),
        psnr=tuple(curves.curves(reports, curves.PSNR)),
        more_curves=tuple(
            curve for quantity in (curves.LOSS, curves.RATE) for curve in curves.curves(reports, quantity)
        ),
        times=tuple(figures.times(summary)),
        groups=tuple(settings.groups(run.config, provenance.sources, artifacts.components)),
        sources_known=bool(provenance.sources),
        recipe=read_text(run.config_file),
        commands=tuple(ShownCommand(c.line, c.began, c.versions, c.machine) for c in provenance.commands),
        written=figures.day(datetime.now(UTC)),
        nfcore=__version__,
    )


def _views(artifacts: Artifacts, scores: Sequence[ViewScore]) -> tuple[tuple[ShownView, ...], str]:
    """Return the test views with their pictures, or why there are none."""
    finished = artifacts.run.finished
    if "teach" not in finished:
        return (), "There are none until the teacher is fitted."
    try:
        views = artifacts.source.views("test")
        chosen = pictures.chosen_views(scores, len(views))
        return tuple(pictures.shown_views(artifacts.models, views, chosen)), ""
    except (NfcoreError, OSError) as error:
        return (), f"There are none: {error}"


def _facts(summary: dict[str, Any]) -> Iterator[str]:
    if "scene" in summary:
        yield f"scene {summary['scene']}"
    if "image_size" in summary:
        yield f"{summary['image_size']} pixels"
    yield from scored_views(summary)
