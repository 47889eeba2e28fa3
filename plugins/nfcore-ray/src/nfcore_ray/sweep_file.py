"""The sweep file: recipes, scenes and seeds to combine, and the resources of each run."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

import nfcore
from nfcore import UserError
from nfcore.config import parse
from nfcore.io import read_toml

#: Runs of a sweep, at most, that is executed.
MOST_RUNS = 10_000
#: Names that are valid for folders on any file system.
_NAME = r"^\w[\w.-]*$"


class Resources(nfcore.Options):
    """The resources that Ray reserves for one run."""

    cpus: int = Field(1, ge=1, description="CPU cores of one run, and its number of threads")
    gpus: float = Field(0, ge=0, description="GPUs of one run; 0.5 puts two runs on each; with 0 a run sees none")
    memory: float | None = Field(None, gt=0, description="GiB of memory of one run; by default none is reserved")

    @field_validator("gpus")
    @classmethod
    def _whole_above_one(cls, gpus: float) -> float:
        if gpus > 1 and not gpus.is_integer():
            raise ValueError("Above 1 it must be a whole number")
        return gpus


class Entry(nfcore.Options):
    """One run, as a ``[[run]]`` of the file or as one combination of its lists."""

    recipe: str = Field(description="A recipe's name, or a .toml file")
    scene: str | None = Field(None, description="Ray source, NAME or NAME:PATH; by default the recipe's")
    seed: int | None = Field(None, description="Seed; by default the recipe's")
    set: tuple[str, ...] = Field((), description="Changes of settings, key=value each, after those for all runs")
    name: str | None = Field(
        None, pattern=_NAME, description="The run's folder; by default made from the other values"
    )
    variant: str | None = Field(None, pattern=_NAME, description="Name of these changes in the report")

    @property
    def folder(self) -> str:
        """The name of the run's folder: the chosen values, joined by dashes."""
        if self.name is not None:
            return self.name
        recipe = Path(self.recipe).name.removesuffix(".toml")
        source, _, path = (self.scene or "").partition(":")
        scene = Path(path).name or source.rpartition("/")[2]
        parts = [recipe, scene, self.variant or "", "" if self.seed is None else f"seed{self.seed}"]
        return re.sub(r"[^\w.-]", "_", "-".join(filter(None, parts)))


class SweepFile(nfcore.Options):
    """A sweep: all combinations of its lists, and single runs.

    Paths are relative to the current folder, as for ``nfcore run``.
    """

    folder: str | None = Field(None, description="Folder of the runs; by default runs/ and the file's name")
    address: str | None = Field(
        None, description="HOST:PORT of a cluster's head, or auto; by default Ray starts on this machine"
    )
    retries: int = Field(2, ge=0, description="How often a run is tried again if it fails or its worker dies")
    resources: Resources = Field(default=Resources(), description="Resources of each run")
    set: tuple[str, ...] = Field((), description="Changes of settings for all runs, key=value each")
    recipes: tuple[str, ...] = Field((), description="Recipes, by name or as .toml files")
    scenes: tuple[str, ...] = Field((), description="Ray sources, NAME or NAME:PATH; by default the recipe's")
    seeds: tuple[int, ...] = Field((), description="Seeds; by default the recipe's")
    variants: dict[Annotated[str, StringConstraints(pattern=_NAME)], tuple[str, ...]] = Field(
        {}, description="Changes of settings that are compared: a name each, with its key=value texts"
    )
    run: tuple[Entry, ...] = Field((), description="Single runs, in addition to the combinations of the lists")

    @property
    def count(self) -> int:
        """The number of runs."""
        lists = (self.recipes, self.scenes or (None,), self.variants or (None,), self.seeds or (None,))
        return math.prod(map(len, lists)) + len(self.run)

    @property
    def entries(self) -> Iterator[Entry]:
        """All runs, the combinations first; made one by one, since there may be millions."""
        for recipe, scene, variant, seed in itertools.product(
            self.recipes, self.scenes or (None,), self.variants or (None,), self.seeds or (None,)
        ):
            changes = self.variants[variant] if variant is not None else ()
            yield Entry(recipe=recipe, scene=scene, variant=variant, seed=seed, set=changes)
        yield from self.run


def read_sweep(path: Path) -> SweepFile:
    """Return the sweep that a TOML file describes.

    Of a very long sweep, only the names of the first runs are compared: it can be listed, but not executed.

    Raises:
        UserError: no such file, not TOML, an unknown or wrong option, no runs, or two runs with one name.

    """
    sweep = parse(SweepFile, read_toml(path), str(path))
    if not sweep.recipes and (sweep.scenes or sweep.seeds or sweep.variants):
        raise UserError(f'{path}: scenes, seeds and variants are for recipes: add recipes = ["..."]')
    names = Counter(entry.folder for entry in itertools.islice(sweep.entries, MOST_RUNS))
    if not names:
        raise UserError(f'{path}: no runs: add recipes = ["..."] or a [[run]] with its recipe')
    twice = sorted(name for name, count in names.items() if count > 1)
    if twice:
        raise UserError(f"{path}: more than one run is called {twice[0]!r}: give each a [[run]] with a name")
    return sweep


def checked_address(address: str | None) -> str | None:
    """Return the cluster's address; None to start Ray on this machine.

    Raises:
        UserError: an address of Ray's client, with which a sweep could not detect that the cluster is gone.

    """
    if address is not None and address.startswith("ray://"):
        raise UserError(f"address {address!r}: write HOST:PORT, and run the command on a machine of the cluster")
    return None if address in (None, "", "local") else address
