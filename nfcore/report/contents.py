"""What a report shows, as data; ``nfcore.runs.report`` gathers it from a run's folder."""

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
    """One command that worked on the run.

    Args:
        line: as a shell takes it.
        began: when, in UTC.
        versions: what was installed of all that the run uses.
        machine: what computed.

    """

    line: str
    began: datetime
    versions: Mapping[str, str]
    machine: str


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
        sources_known: whether the run knows what gave each setting its value.
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
    sources_known: bool
    recipe: str
    commands: tuple[ShownCommand, ...]
    written: str
    nfcore: str
