"""``provenance.json``: the commands that made a run, their versions, and the source of each setting."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import AliasChoices, ConfigDict, Field

from nfcore.config.schema import PipelineConfig
from nfcore.errors import PluginError, UserError
from nfcore.io.atomic import write_json
from nfcore.io.records import Moment, Record, read_record
from nfcore.plugin.manager import PluginManager
from nfcore.runs.checkpoints import machine
from nfcore.runs.folder import Run
from nfcore.runtime import distributed

_LIBRARIES = ("neural-field-core", "torch", "numpy")


class Command(Record):
    """One command that worked on a run."""

    line: str = Field(description="The command, quoted for a shell")
    began: Moment = Field(description="Start time, in UTC")
    versions: dict[str, str] = Field(description="Of Python, torch, nfcore and the plugins that the run uses")
    machine: str = Field(description="Processor and torch")


class Provenance(Record):
    """The provenance of a run. Runs of older versions of nfcore have none."""

    model_config = ConfigDict(populate_by_name=True)

    sources: dict[str, str] = Field(
        {},
        validation_alias=AliasChoices("sources", "origins"),  # 0.1 wrote origins
        description="The source of each setting that is not a default",
    )
    commands: tuple[Command, ...] = Field((), description="The commands, in order")

    @classmethod
    def read(cls, folder: Path) -> Provenance:
        """Return the provenance of the run in ``folder``; empty if it has none.

        Raises:
            UserError: the file is damaged.

        """
        path = folder / "provenance.json"
        if not path.exists():
            return cls(sources={}, commands=())
        try:
            return read_record(path, cls)
        except UserError as error:
            raise UserError(f"{error}; the run does not need it: delete it") from None


def keep(run: Run, sources: Mapping[str, str], manager: PluginManager, line: str) -> None:
    """Record a command in the run's folder.

    Args:
        run: the run.
        sources: the source of each setting, if the command starts the run; else empty.
        manager: the manager of the run's components.
        line: the command, quoted for a shell.

    """
    known = Provenance.read(run.folder)
    command = Command(
        line=line,
        began=datetime.now(UTC).replace(microsecond=0),
        versions=dict(_versions(run.config, manager)),
        machine=machine(),
    )
    repeated = known.commands and known.commands[-1].model_copy(update={"began": command.began}) == command
    commands = known.commands if repeated else (*known.commands, command)
    now = Provenance(sources={**known.sources, **sources}, commands=commands)
    if now != known:
        write_json(run.folder / "provenance.json", now.model_dump(mode="json"))


def command_line(arguments: Sequence[str]) -> str:
    """Return the ``nfcore`` command with ``arguments``, quoted for a shell, after ``torchrun`` if it was used."""
    count = distributed.count()
    program = ["nfcore"] if count == 1 else [*_torchrun(count), "-m", "nfcore"]
    return shlex.join([*program, *arguments])


def script_line() -> str:
    """Return the running Python script, quoted for a shell, after ``torchrun`` if it was used."""
    count = distributed.count()
    program = ["python"] if count == 1 else _torchrun(count)
    return shlex.join([*program, *filter(None, sys.argv)])


def _torchrun(count: int) -> list[str]:
    return ["torchrun", f"--nproc-per-node={count}"]


def _versions(config: PipelineConfig, manager: PluginManager) -> Iterator[tuple[str, str]]:
    """Yield the installed versions of all packages that the pipeline uses."""
    yield "python", platform.python_version()
    for library in _LIBRARIES:
        yield library, version(library)
    for kind, choice in config.components.values():
        try:
            plugin, _ = manager.find(kind, choice.name)
        except PluginError:  # such as an exporter of a stage that this command does not do
            continue
        yield plugin.distribution, plugin.source.version
