"""Comparison of runs with published tables: which run belongs to which row."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nfcore.config.resolve import read_pipeline
from nfcore.config.schema import ALL_VIEWS, Choice, PipelineConfig
from nfcore.errors import PluginError, UserError
from nfcore.evaluation.publications import Row, Table, Tables
from nfcore.options import parse
from nfcore.plugin.components import Kind
from nfcore.plugin.manager import PluginManager
from nfcore.student.sizes import student_size

# The components that designs differ in.
_DESIGNED = ("teacher", "encoding", "backbone", "upsampler")

#: A run's figures, named as in ``summary.json``.
Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Compared:
    """One run to compare.

    Args:
        name: its folder's name.
        figures: its ``summary.json``.
        config: its pipeline.

    """

    name: str
    figures: Figures
    config: PipelineConfig

    @property
    def scene(self) -> str:
        """The scene's name; empty before the teacher is fitted."""
        return str(self.figures.get("scene", ""))

    @property
    def protocol(self) -> str:
        """The protocol that it was scored by, without its distribution."""
        return str(self.figures.get("protocol") or ALL_VIEWS).rpartition("/")[2]


@dataclass(frozen=True)
class Entry:
    """One line of a comparison: everything in it was measured at one image size by one protocol.

    Args:
        name: of the published row.
        image_size: longer side in pixels.
        protocol: which test views were scored.
        published: published values by column; empty if the run differs in image size, protocol or scenes.
        run: the run's name, or a description of its figures; None if there is no run.
        scene: of the run.
        test_views: number of test views that the run was scored on.
        ours: the run's figures by the title of their column.

    """

    name: str
    image_size: int
    protocol: str
    published: Mapping[str, float | str]
    run: str | None = None
    scene: str | None = None
    test_views: int | None = None
    ours: Mapping[str, float] | None = None


class Comparison:
    """Compares runs with the tables of one publication.

    Args:
        name: of the publication.
        tables: the contents of its file.
        runs: to compare.
        manager: finds recipes and components.

    """

    def __init__(self, name: str, tables: Tables, runs: Iterable[Compared], manager: PluginManager) -> None:
        self.name = name
        self.tables = tables
        self.runs = [(run, design(run.config, manager)) for run in runs]
        self.manager = manager

    def entries(self, table: Table) -> list[Entry]:
        """Return the lines of one table: each published row, with the runs that belong to it."""
        return [entry for row in table.rows for entry in self._of_row(table, row)]

    def _of_row(self, table: Table, row: Row) -> Iterator[Entry]:
        size = row.image_size or table.image_size
        if row.mean:
            found = list(self._means(table))
        elif row.recipe is not None:
            found = [(run, _ours(table, run.figures)) for run in self._with_recipe(row.recipe)]
        else:
            found = [(run, _ours(table, run.figures)) for run in self._with_scene(row.scenes)]
        # A row of scenes was published for just these; a row of a design is for several, so it has no equal run.
        equal = [row.recipe is None and self._as_published(run, size) for run, _ in found]
        if not any(equal):
            ours = {} if row.recipe is None else _ours(table, self._size_figures(row.recipe, size))
            yield Entry(row.name, size, self.name, row.values, ours=ours)
        for (run, ours), comparable in sorted(zip(found, equal, strict=True), key=lambda pair: not pair[1]):
            yield Entry(
                row.name,
                run.figures.get("image_size", 0),
                run.protocol,
                row.values if comparable else {},
                run.name,
                run.scene,
                run.figures.get("test_views"),
                ours,
            )

    def _as_published(self, run: Compared, image_size: int) -> bool:
        """Whether a run was scored as in the publication: the same image size, the same test views."""
        views, limit = run.figures.get("test_views"), self.tables.protocol.test_views
        same_views = run.protocol == self.name or (
            run.protocol == ALL_VIEWS and views is not None and views <= limit
        )
        return same_views and run.figures.get("image_size") == image_size

    def _with_scene(self, scenes: Iterable[str]) -> list[Compared]:
        return [run for run, _ in self.runs if run.scene.lower() in scenes]

    def _with_recipe(self, recipe: str) -> list[Compared]:
        try:
            wanted = design(read_pipeline(recipe, self.manager), self.manager)
        except PluginError:  # no installed plugin has that recipe
            return []
        return [run for run, its_design in self.runs if its_design == wanted]

    def _size_figures(self, recipe: str, image_size: int) -> Figures:
        """Return the figures of a recipe's student that don't need a run."""
        try:
            student = read_pipeline(recipe, self.manager).student_training().student
            size = student_size(student, self.manager, image_size, image_size)
        except UserError:  # no plugin has that recipe or its parts here, or it trains no student
            return {}
        return {
            "student.parameters": size.parameters,
            "student.without_upsampler": size.without_upsampler,
            "student.macs": size.macs,
        }

    def _means(self, table: Table) -> Iterator[tuple[Compared, dict[str, float]]]:
        """Yield the means over runs that differ only in the scene and cover all of the table's scenes."""
        scenes = {scene for row in table.rows for scene in row.scenes}
        groups: dict[tuple[object, ...], list[Compared]] = defaultdict(list)
        for run, its_design in self.runs:
            if run.scene.lower() in scenes:
                groups[its_design, run.config.seed, run.figures.get("image_size"), run.protocol].append(run)
        for runs in groups.values():
            if len(runs) == len(scenes) == len({run.scene.lower() for run in runs}):
                figures = [_ours(table, run.figures) for run in runs]
                complete = set.intersection(*(set(ours) for ours in figures))
                means = {title: sum(ours[title] for ours in figures) / len(runs) for title in complete}
                shared = {key: runs[0].figures.get(key) for key in ("image_size", "protocol")}
                shared["test_views"] = max(run.figures.get("test_views", 0) for run in runs)
                yield Compared(f"mean of {len(runs)} runs", shared, runs[0].config), means


def design(config: PipelineConfig, manager: PluginManager) -> str:
    """Return a pipeline's student and teacher with all their options, as a string to compare by."""
    scale = None if config.student is None else config.student.scale
    parts = [_resolved(kind, choice, manager) for kind, choice in config.components.values() if kind in _DESIGNED]
    return json.dumps([scale, *parts])


def _resolved(kind: Kind, choice: Choice, manager: PluginManager) -> list[Any]:
    try:
        plugin, component = manager.find(kind, choice.name)
        options = parse(manager.load(kind, choice.name).Options, choice.options, choice.name)
    except PluginError:  # not installed: as in the run's configuration
        return [choice.name, sorted(choice.options.items(), key=str)]
    return [f"{plugin.distribution}/{component.name}", options.model_dump(mode="json")]


def _ours(table: Table, figures: Figures) -> dict[str, float]:
    """Return the ``figures`` that ``table`` has columns for, in its units, by title."""
    return {ours.title: figures[ours.key] * ours.factor for ours in table.ours if ours.key in figures}
