"""The sweep file: which recipes on which scenes with which seeds, and what each run is given."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

import nfcore
from nfcore import UserError
from nfcore.config import parse
from nfcore.io import read_toml

#: What names a folder without surprises on any file system.
_NAME = r"^\w[\w.-]*$"


class Resources(nfcore.Options):
    """What Ray sets aside for one run."""

    cpus: int = Field(1, ge=1, description="CPU cores of one run, which takes as many threads")
    gpus: float = Field(0, ge=0, description="GPUs of one run; 0.5 puts two runs on each; with 0 a run sees none")
    memory: float | None = Field(None, gt=0, description="GiB that one run needs; none sets nothing aside")

    @field_validator("gpus")
    @classmethod
    def _whole_above_one(cls, gpus: float) -> float:
        if gpus > 1 and not gpus.is_integer():
            raise ValueError("Above 1 it must be a whole number")
        return gpus


class Entry(nfcore.Options):
    """One run, as a ``[[run]]`` of the file or as one combination of its lists."""

    recipe: str = Field(description="A recipe's name, or a .toml file")
    scene: str | None = Field(None, description="Ray source, NAME or NAME:PATH; none takes the recipe's")
    seed: int | None = Field(None, description="Seed; none takes the recipe's")
    set: tuple[str, ...] = Field((), description="Changes of settings, key=value each, after those for all runs")
    name: str | None = Field(None, pattern=_NAME, description="The run's folder; none makes it from the others")
    variant: str | None = Field(None, pattern=_NAME, description="What the report calls these changes")

    @property
    def folder(self) -> str:
        """The name of the run's folder: what was chosen, joined by dashes."""
        if self.name is not None:
            return self.name
        recipe = Path(self.recipe).name.removesuffix(".toml")
        source, _, path = (self.scene or "").partition(":")
        scene = Path(path).name or source.rpartition("/")[2]
        parts = [recipe, scene, self.variant or "", "" if self.seed is None else f"seed{self.seed}"]
        return re.sub(r"[^\w.-]", "_", "-".join(filter(None, parts)))


class SweepFile(nfcore.Options):
    """A sweep: all combinations of its lists, and the runs that it names one by one.

    Paths are relative to the folder in which the command is given, as they are for ``nfcore run``.
    """

    folder: str | None = Field(None, description="Folder of the runs; none is runs/ and the file's name")
    address: str | None = Field(
        None, description="HOST:PORT of a cluster's head, or auto; none starts Ray here for as long as it takes"
    )
    retries: int = Field(2, ge=0, description="How often a run that fails, or whose worker dies, is tried again")
    resources: Resources = Field(default=Resources(), description="What each run is given")
    set: tuple[str, ...] = Field((), description="Changes of settings for all runs, key=value each")
    recipes: tuple[str, ...] = Field((), description="Recipes, by name or as .toml files")
    scenes: tuple[str, ...] = Field((), description="Ray sources, NAME or NAME:PATH; none takes the recipe's")
    seeds: tuple[int, ...] = Field((), description="Seeds; none takes the recipe's")
    variants: dict[Annotated[str, StringConstraints(pattern=_NAME)], tuple[str, ...]] = Field(
        {}, description="Changes of settings that are compared: a name each, with its key=value texts"
    )
    run: tuple[Entry, ...] = Field((), description="Runs one by one, in addition to the combinations of the lists")

    @property
    def entries(self) -> Iterator[Entry]:
        """All runs, the combinations first."""
        for recipe, scene, variant, seed in itertools.product(
            self.recipes, self.scenes or (None,), self.variants or (None,), self.seeds or (None,)
        ):
            changes = self.variants[variant] if variant is not None else ()
            yield Entry(recipe=recipe, scene=scene, variant=variant, seed=seed, set=changes)
        yield from self.run


def read_sweep(path: Path) -> SweepFile:
    """Return the sweep that a TOML file describes.

    Raises:
        UserError: no such file, not TOML, an unknown or wrong option, no run in it, or two of one name.

    """
    sweep = parse(SweepFile, read_toml(path), str(path))
    if not sweep.recipes and (sweep.scenes or sweep.seeds or sweep.variants):
        raise UserError(f'{path}: scenes, seeds and variants are for recipes: add recipes = ["..."]')
    names = [entry.folder for entry in sweep.entries]
    if not names:
        raise UserError(f'{path}: no runs: add recipes = ["..."] or a [[run]] with its recipe')
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{path}: more than one run is called {twice[0]!r}: give each a [[run]] with a name")
    return sweep


def checked_address(address: str | None) -> str | None:
    """Return where the cluster is, None to start Ray on this machine.

    Raises:
        UserError: an address of Ray's client, through which a sweep could not see whether the cluster is there.

    """
    if address is not None and address.startswith("ray://"):
        raise UserError(f"address {address!r}: write HOST:PORT, and give the command on a machine of the cluster")
    return None if address in (None, "", "local") else address
