"""The JSON messages between the processes of a sweep: the command, the driver, Ray's workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

import nfcore

#: The folder for the sweep's own state, in the sweep's folder.
STATE = ".sweep"


class Task(nfcore.Options):
    """All that a worker needs to execute one run."""

    name: str = Field(description="The run's name")
    folder: Path = Field(description="The sweep's folder, absolute; it contains the run's folder")
    config: dict[str, Any] = Field(description="The run's pipeline")
    sources: dict[str, str] = Field(description="The source of each setting")
    arguments: tuple[str, ...] = Field(description="Arguments of the sweep's command, without the program")
    cpus: int = Field(description="CPU cores reserved by Ray, and threads of the worker")
    gpus: float = Field(description="GPUs reserved by Ray")
    memory: float | None = Field(description="GiB reserved by Ray")
    cwd: Path = Field(description="The folder that relative paths refer to")
    environment: dict[str, str] = Field(description="nfcore's environment variables of the sweep's command")
    plugin_folders: tuple[Path, ...] = Field(description="Folders of plugins that are not installed")

    @property
    def started(self) -> Path:
        """The file that a worker writes when it starts, with its host and process."""
        return self.folder / STATE / f"{self.name}.json"


class Outcome(nfcore.Options):
    """The outcome of one attempt at a run."""

    error: str | None = Field(None, description="The error, in one line")
    mistake: bool = Field(False, description="Whether it is a user's mistake, so that it is not tried again")
    trace: str = Field("", description="The traceback of an error that is not nfcore's own")


class Orders(nfcore.Options):
    """The orders for the driver."""

    tasks: tuple[Task, ...] = Field(description="The runs to execute, all with the same resources")
    retries: int = Field(description="How often a failed run is tried again")
    address: str | None = Field(description="HOST:PORT of a cluster's head, auto, or None to start Ray here")


class Event(nfcore.Options):
    """One event.

    ``ended``: a run is finished, or has finally failed. ``again``: it failed and is tried again. ``note``: a
    message for the user. ``refused``: no run was started, because of a user's mistake. ``lost``: the cluster can't
    be reached. The last two end the sweep.
    """

    kind: Literal["ended", "again", "note", "refused", "lost"] = Field(description="The kind of event")
    run: str = Field("", description="The run's name")
    attempt: int = Field(0, description="The attempt at the run, from 1")
    outcome: Outcome = Field(default=Outcome(), description="How the attempt ended")
    text: str = Field("", description="A line for the user")
