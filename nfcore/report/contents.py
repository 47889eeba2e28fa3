"""The contents of a report, as data; ``nfcore.runs.report`` collects them from a run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from nfcore.report.curves import Curve
from nfcore.report.exports import ShownExport
from nfcore.report.figures import Grid, StageState, StageTime, Tile
from nfcore.report.pictures import ShownView
from nfcore.report.settings import Group


@dataclass(frozen=True)
class ShownCommand:
    """A command that was run on the run's folder.

    Args:
        line: as a shell command.
        started: when, in UTC.
        versions: installed versions of what the run uses.
        machine: that it ran on.

    """

    line: str
    started: datetime
    versions: Mapping[str, str]
    machine: str


@dataclass(frozen=True)
class Contents:
    """The contents of a report.

    Args:
        name: of the run.
        about: one line about the recipe, or empty.
        facts: scene, size and test views, as far as they are known.
        states: which stages are finished.
        tiles: figures of the headline.
        views: test views with pictures, the worst first.
        no_pictures: why there are none, or empty.
        video: the orbit as a ``data:`` URI, or None.
        quality: mean scores, or None.
        notes: remarks on the scores.
        scores: of each view, or None.
        exports: of the run.
        psnr: learning curves.
        more_curves: loss and learning rate.
        times: of the stages.
        groups: the settings.
        sources_known: whether the run has recorded the source of each setting.
        recipe: the complete configuration, as a recipe file.
        commands: that made the run, in order.
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
    sources_known: bool
    recipe: str
    commands: tuple[ShownCommand, ...]
    written: str
    nfcore: str
