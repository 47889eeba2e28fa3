"""The run folder: configuration, files, and which stages are finished. All files are written atomically."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tomli_w

from nfcore.config.schema import PipelineConfig
from nfcore.config.stages import STAGES, Stage, changed_settings, first_stage
from nfcore.errors import UserError
from nfcore.io.atomic import write_atomic, write_json
from nfcore.io.records import read_record
from nfcore.io.toml_files import read_toml
from nfcore.options import parse
from nfcore.runs.lock import LOCK
from nfcore.runs.results import Results, measured


class Run:
    """One run's folder.

    Args:
        folder: the folder of the run, with a ``config.toml``.

    Raises:
        UserError: there is no run, or its configuration can't be read.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()  # once: later changes of the working folder have no effect
        config = self.config_file
        if not config.is_file():
            raise UserError(f"{folder}: no run here (it has no config.toml); 'nfcore run RECIPE' makes one")
        self.config = parse(PipelineConfig, read_toml(config), str(config))

    @classmethod
    def create(cls, folder: Path, config: PipelineConfig, *, resume: bool) -> Run:
        """Return the run in ``folder``: a new one, or with ``resume`` the existing one.

        Raises:
            UserError: the folder contains another run, or this one without ``resume``, or other files.

        """
        file = folder / "config.toml"
        if file.exists():
            run = cls(folder)
            different = changed_settings(run.config, config)
            if different:
                raise UserError(
                    f"{folder} holds a run with another {', '.join(different)}: choose another --name, or change "
                    f"this one: 'nfcore run {shlex.quote(f'{folder}/')} --resume --set KEY=VALUE'"
                )
            if not resume:
                raise UserError(f"{folder} holds this run already: --resume resumes it, --name makes another")
            if config != run.config:
                run.set_config(config)
            return run
        if any(path.is_file() and path != folder / LOCK for path in folder.rglob("*")):
            raise UserError(f"{folder} is not empty and holds no run: choose another --name")
        write_atomic(file, _as_toml(config))
        return cls(folder)

    # -- configuration -------------------------------------------------------------------------------

    def change(self, config: PipelineConfig) -> Stage | None:
        """Change the run's settings; the first stage that they affect, and all after it, become unfinished.

        Returns:
            That stage; None if no stage is affected.

        """
        first = first_stage(changed_settings(self.config, config))
        if first is not None:
            self.forget(first)  # first, so that the run never has results of other settings
        self.set_config(config)
        return first

    def set_config(self, config: PipelineConfig) -> None:
        """Change the configuration of unfinished stages; exports that it changes become unfinished."""
        before, after = self.config.export, config.export
        for label in before.keys() & after.keys():
            if before[label] != after[label]:
                self.forget_one(f"export.{label}")
        write_atomic(self.config_file, _as_toml(config))
        self.config = config

    # -- files ---------------------------------------------------------------------------------------

    @property
    def config_file(self) -> Path:
        """The resolved pipeline, which is also a valid recipe."""
        return self.folder / "config.toml"

    @property
    def teacher_file(self) -> Path:
        """The fitted teacher."""
        return self.folder / "teacher.safetensors"

    @property
    def distilled_file(self) -> Path:
        """The student before fine-tuning."""
        return self.folder / "state" / "distilled.safetensors"

    @property
    def student_file(self) -> Path:
        """The finished student."""
        return self.folder / "student.safetensors"

    @property
    def exports_folder(self) -> Path:
        """The exports, each in a folder with its label as its name."""
        return self.folder / "exports"

    @property
    def previews_folder(self) -> Path:
        """The previews of training, and the images of the render stage."""
        return self.folder / "previews"

    @property
    def metrics_file(self) -> Path:
        """The reports of each stage, one JSON object per line."""
        return self.folder / "metrics.jsonl"

    @property
    def view_scores_file(self) -> Path:
        """The scores of each test view."""
        return self.folder / "views.json"

    @property
    def results_file(self) -> Path:
        """The figures of each finished stage."""
        return self.folder / "state" / "results.json"

    def checkpoint_file(self, stage: str) -> Path:
        """Return the last checkpoint of an unfinished stage."""
        return self.folder / "state" / f"{stage}.safetensors"

    def folders_written_by(self, stage: str) -> list[Path]:
        """Return the folders that ``stage`` writes to."""
        shared = [self.folder, self.folder / "state", self.previews_folder]
        return [*shared, self.exports_folder] if stage.startswith("export.") else shared

    # -- what is finished ----------------------------------------------------------------------------

    @property
    def finished(self) -> dict[str, dict[str, Any]]:
        """The figures of each finished stage, in the order in which they were finished."""
        if not self.results_file.exists():
            return {}
        return {
            stage: dict(figures.root) for stage, figures in read_record(self.results_file, Results).root.items()
        }

    def finish(self, stage: str, figures: dict[str, Any]) -> None:
        """Mark ``stage`` as finished, with its figures under the keys of ``summary.json``."""
        others = {name: value for name, value in self.finished.items() if name != stage}
        write_json(self.results_file, others | {stage: measured(figures)})
        self.checkpoint_file(stage).unlink(missing_ok=True)

    def forget(self, first: Stage) -> None:
        """Mark ``first`` and all stages after it as unfinished, so that they run again."""
        stages: tuple[str, ...] = STAGES[STAGES.index(first) :]
        self._keep(lambda name: name.partition(".")[0] not in stages)
        for stage in stages:
            self.checkpoint_file(stage).unlink(missing_ok=True)

    def forget_one(self, name: str) -> None:
        """Mark one stage that no other depends on as unfinished: ``evaluate`` or ``export.LABEL``."""
        self._keep(lambda stage: stage != name)

    def _keep(self, kept: Callable[[str], bool]) -> None:
        finished = self.finished
        write_json(self.results_file, {name: figures for name, figures in finished.items() if kept(name)})

    def summary(self) -> dict[str, Any]:
        """Return the figures of all finished stages."""
        summary = {name: value for figures in self.finished.values() for name, value in figures.items()}
        seconds = (value for name, value in summary.items() if name.startswith("seconds."))
        return summary | {"seconds.total": round(sum(seconds), 1)}

    def write_summary(self) -> dict[str, Any]:
        """Write ``summary.json`` from the figures of all finished stages and return it."""
        summary = self.summary()
        write_json(self.folder / "summary.json", summary)
        return summary


def _as_toml(config: PipelineConfig) -> str:
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
