"""The run folder: configuration, results, where everything lies. Whatever is in it is whole."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Literal, get_args

import tomli_w

from nfcore.config.schema import PipelineConfig
from nfcore.errors import UserError
from nfcore.io.atomic import read_json, read_toml, write_atomic, write_json
from nfcore.options import parse

#: The stages of a run, in their order.
Stage = Literal["teach", "distill", "finetune", "evaluate", "render", "export"]

# The first stage that follows from a setting, by the setting's first word; the others follow from stages before.
_FIRST_STAGE: dict[str, Stage] = {"student": "distill", "distill": "distill", "finetune": "finetune"}


class Run:
    """One run's folder.

    Args:
        folder: where the run is; must hold a ``config.toml``.

    Raises:
        UserError: there is no run, or its configuration is not readable.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        config = self.config_file
        if not config.is_file():
            raise UserError(f"{folder}: no run here (it has no config.toml); 'nfcore run RECIPE' makes one")
        self.config = parse(PipelineConfig, read_toml(config), str(config))

    @classmethod
    def create(cls, folder: Path, config: PipelineConfig, *, resume: bool) -> Run:
        """Return the run in ``folder``: a new one, or with ``resume`` the one that is there, as it is.

        Raises:
            UserError: the folder holds another run, or this one without ``resume``, or other files.

        """
        file = folder / "config.toml"
        if file.exists():
            run = cls(folder)
            different = run.differences(config)
            if different:
                raise UserError(
                    f"{folder} holds a run with another {', '.join(different)}: choose another --name, or change "
                    f"this one: 'nfcore run {shlex.quote(f'{folder}/')} --resume --set KEY=VALUE'"
                )
            if not resume:
                raise UserError(f"{folder} holds this run already: --resume goes on with it, --name makes another")
            if config != run.config:
                run.set_config(config)
            return run
        if folder.is_dir() and any(folder.iterdir()):
            raise UserError(f"{folder} is not empty and holds no run: choose another --name")
        write_atomic(file, _as_toml(config))
        return cls(folder)

    def differences(self, config: PipelineConfig) -> list[str]:
        """Return the names of the settings in which ``config`` is that of another run.

        Exports may be added to a run, it may be scored anew, and it may go on on another machine.
        """

        def flat(value: Any, prefix: str = "") -> dict[str, Any]:
            if not isinstance(value, dict):
                return {prefix: value}
            return {
                k: v for key, part in value.items() for k, v in flat(part, f"{prefix}.{key}".strip(".")).items()
            }

        free = {"device", "export", "protocol", "summary"}
        left, right = (flat(c.model_dump(mode="json", exclude=free)) for c in (self.config, config))
        return sorted(name for name in left | right if left.get(name) != right.get(name))

    def change(self, config: PipelineConfig) -> Stage | None:
        """Change the run's settings and forget the first stage that follows from a changed one, and all after it.

        Returns:
            That stage; None where no stage follows from what was changed.

        """
        concerned = [_FIRST_STAGE.get(name.partition(".")[0], "teach") for name in self.differences(config)]
        first = min(concerned, key=get_args(Stage).index, default=None)
        if first is not None:
            self.forget(first)  # before anything: a run never has results that its settings did not give
        self.set_config(config)
        return first

    def set_config(self, config: PipelineConfig) -> None:
        """Change the run's configuration, for stages that are yet to come."""
        write_atomic(self.config_file, _as_toml(config))
        self.config = config

    @property
    def config_file(self) -> Path:
        """The resolved pipeline, which is a recipe file as well."""
        return self.folder / "config.toml"

    @property
    def teacher(self) -> Path:
        """The fitted teacher's file."""
        return self.folder / "teacher.safetensors"

    @property
    def distilled(self) -> Path:
        """The student's file as it was before fine-tuning."""
        return self.folder / "state" / "distilled.safetensors"

    @property
    def student(self) -> Path:
        """The finished student's file."""
        return self.folder / "student.safetensors"

    @property
    def exports(self) -> Path:
        """The folder of the exports."""
        return self.folder / "exports"

    # -- what is finished ----------------------------------------------------------------------------

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """The figures of each finished stage, in the order in which they were finished."""
        path = self.folder / "state" / "results.json"
        results: dict[str, dict[str, Any]] = read_json(path) if path.exists() else {}
        if not (isinstance(results, dict) and all(isinstance(figures, dict) for figures in results.values())):
            raise UserError(f"{path}: damaged: not the figures of a run's stages")
        return results

    def finished(self, stage: str, figures: dict[str, Any]) -> None:
        """Note that ``stage`` is finished, with its figures under the names that ``summary.json`` uses."""
        results = {name: value for name, value in self.results.items() if name != stage}
        write_json(self.folder / "state" / "results.json", results | {stage: figures})
        self.checkpoint_of(stage).unlink(missing_ok=True)

    def forget(self, first: Stage) -> None:
        """Take back that ``first`` and the stages after it are finished, so that they are done anew."""
        stages = get_args(Stage)[get_args(Stage).index(first) :]
        kept = {name: figures for name, figures in self.results.items() if name.partition(".")[0] not in stages}
        write_json(self.folder / "state" / "results.json", kept)
        for stage in stages:
            self.checkpoint_of(stage).unlink(missing_ok=True)

    def checkpoint_of(self, stage: str) -> Path:
        """Return where the last checkpoint of an unfinished stage lies."""
        return self.folder / "state" / f"{stage}.safetensors"

    def written_to(self, stage: str) -> list[Path]:
        """Return the folders that ``stage`` writes to."""
        shared = [self.folder, self.folder / "state", self.folder / "previews"]
        return [*shared, self.exports] if stage.startswith("export.") else shared

    def forget_one(self, name: str) -> None:
        """Take back that one stage on which no other depends is finished: ``evaluate`` or ``export.LABEL``."""
        kept = {stage: figures for stage, figures in self.results.items() if stage != name}
        write_json(self.folder / "state" / "results.json", kept)

    @property
    def view_scores(self) -> Path:
        """The file with the scores of each test view."""
        return self.folder / "views.json"

    def summary(self) -> dict[str, Any]:
        """Return the figures of all finished stages."""
        summary = {name: value for figures in self.results.values() for name, value in figures.items()}
        seconds = (value for name, value in summary.items() if name.startswith("seconds."))
        return summary | {"seconds.total": round(sum(seconds), 1)}

    def write_summary(self) -> dict[str, Any]:
        """Write ``summary.json`` from the figures of all finished stages and return it."""
        summary = self.summary()
        write_json(self.folder / "summary.json", summary)
        return summary


def _as_toml(config: PipelineConfig) -> str:
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
