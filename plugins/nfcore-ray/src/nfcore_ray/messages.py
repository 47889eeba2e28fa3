"""What the processes of a sweep tell each other, as JSON: the command, the driver, Ray's workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

import nfcore

#: Below the sweep's folder: what is about the sweep and not of a run.
STATE = ".sweep"


class Task(nfcore.Options):
    """What a worker needs to know to do one run."""

    name: str = Field(description="The run's name")
    folder: Path = Field(description="The sweep's folder, absolute; the run is in a folder there")
    config: dict[str, Any] = Field(description="The run's pipeline")
    sources: dict[str, str] = Field(description="What gave each setting its value")
    arguments: tuple[str, ...] = Field(description="Those of the command that does the sweep, without the program")
    cpus: int = Field(description="CPU cores that Ray sets aside, and threads of the worker")
    gpus: float = Field(description="GPUs that Ray sets aside")
    memory: float | None = Field(description="GiB that Ray sets aside")
    cwd: Path = Field(description="The folder to which relative paths belong")
    environment: dict[str, str] = Field(description="nfcore's environment variables where the sweep was started")
    plugin_folders: tuple[Path, ...] = Field(description="Folders of plugins that are not installed")

    @property
    def started(self) -> Path:
        """The file that a worker writes when it starts: its host and its process."""
        return self.folder / STATE / f"{self.name}.json"


class Outcome(nfcore.Options):
    """How one attempt at a run ended."""

    error: str | None = Field(None, description="What went wrong, in one line")
    mistake: bool = Field(False, description="Whether it is a user's mistake, so that trying again is in vain")
    trace: str = Field("", description="The traceback of an error that is none of nfcore's own")


class Orders(nfcore.Options):
    """What the driver is to do."""

    tasks: tuple[Task, ...] = Field(description="The runs to do, all with the same resources")
    retries: int = Field(description="How often a run that fails is tried again")
    address: str | None = Field(description="HOST:PORT of a cluster's head, auto, or None to start Ray here")


class Event(nfcore.Options):
    """What has happened.

    ``ended``: a run is done, or has failed for good. ``again``: it failed and is tried again. ``note``: something
    that a person should know. ``refused``: no run was started, by a user's mistake. ``lost``: there is no cluster,
    or none any more. After these two nothing comes.
    """

    kind: Literal["ended", "again", "note", "refused", "lost"] = Field(description="What kind of event it is")
    run: str = Field("", description="The run's name")
    attempt: int = Field(0, description="Which attempt at the run it was, from 1")
    outcome: Outcome = Field(default=Outcome(), description="How the attempt ended")
    text: str = Field("", description="A line for a person")
