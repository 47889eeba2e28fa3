"""The plan of a sweep: every run with its whole configuration, checked before any work is done."""

from __future__ import annotations

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
    """One run to do.

    Args:
        entry: what the sweep file says of it.
        config: its pipeline.
        sources: what gave each setting its value: a recipe, or the sweep file.
        folder: where it is done.

    """

    entry: Entry
    config: PipelineConfig
    sources: dict[str, str]
    folder: Path

    @property
    def name(self) -> str:
        """The run's name, unique in its sweep."""
        return self.folder.name


def plan(sweep: SweepFile, file: Path, folder: Path, manager: PluginManager) -> list[Planned]:
    """Return the runs of ``sweep``, those of one recipe and scene together.

    Args:
        sweep: what ``file`` says.
        file: named in errors.
        folder: where the runs' folders are.
        manager: where recipes and components are found.

    Raises:
        UserError: a recipe, component, option or data set that there isn't, or a run's folder that holds another
            run.

    """
    return [_planned(sweep, entry, file, folder / entry.folder, manager) for entry in sweep.entries]


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
            raise UserError(f"device is {config.device!r}, but resources.gpus is 0: set it to what one run needs")
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
