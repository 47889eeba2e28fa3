"""The plan of a sweep: every run with its full configuration, checked before any work starts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from nfcore import UserError
from nfcore.config import PipelineConfig, configure_with_sources
from nfcore.plugin import PluginManager
from nfcore.runs import Run, Stage
from nfcore_ray.sweep_file import Entry, SweepFile


@dataclass(frozen=True)
class Planned:
    """One run to execute.

    Args:
        entry: its entry of the sweep file.
        config: its pipeline.
        sources: the source of each setting: a recipe, or the sweep file.
        folder: its folder.

    """

    entry: Entry
    config: PipelineConfig
    sources: dict[str, str]
    folder: Path

    @property
    def name(self) -> str:
        """The run's name, unique in its sweep."""
        return self.folder.name


def plan(
    sweep: SweepFile, file: Path, folder: Path, manager: PluginManager, most: int | None = None
) -> list[Planned]:
    """Return the runs of ``sweep``, grouped by recipe and scene.

    Args:
        sweep: the content of ``file``.
        file: named in errors.
        folder: the folder of the runs' folders.
        manager: the manager of recipes and components.
        most: how many to return, from the first; None for all.

    Raises:
        UserError: a recipe, component, option or data set does not exist, or a run's folder contains another run.

    """
    entries = itertools.islice(sweep.entries, most)
    return [_planned(sweep, entry, file, folder / entry.folder, manager) for entry in entries]


def _planned(sweep: SweepFile, entry: Entry, file: Path, folder: Path, manager: PluginManager) -> Planned:
    seed = () if entry.seed is None else (f"seed={entry.seed}",)
    try:
        configured = configure_with_sources(
            entry.recipe, manager, scene=entry.scene, changes=(*sweep.set, *entry.set, *seed)
        )
        config = configured.config
        path = config.scene.options.get("path")
        if path is not None and not Path(path).exists():
            raise UserError(f"scene {config.scene.name!r}: {path}: no such file or folder")
        if config.device.startswith("cuda") and not sweep.resources.gpus:
            raise UserError(f"device is {config.device!r}, but resources.gpus is 0: set it to the GPUs of one run")
        if (folder / "config.toml").exists():
            Run.create(folder, config, resume=True)
    except UserError as error:
        raise UserError(f"{file}: {folder.name}: {error}") from None
    sources = {
        key: f"sweep {file.name}" if source.startswith("--") else source
        for key, source in configured.sources.items()
    }
    return Planned(entry, config, sources, folder)


def figures_if_finished(folder: Path) -> dict[str, Any] | None:
    """Return the summary of the run in ``folder`` if all its stages are finished, else None."""
    if not (folder / "config.toml").exists():
        return None
    run = Run(folder)
    needed = {stage for stage in get_args(Stage) if stage != "export"}
    needed |= {f"export.{label}" for label in run.config.export}
    return run.write_summary() if needed <= set(run.finished) else None
