"""The catalogue of known plugins: one checked entry each, and their index, which ships with the core.

``python -m nfcore.plugin.catalogue FOLDER`` reads the entries in ``FOLDER/plugins`` and writes
``FOLDER/index.json`` and ``FOLDER/schema.json``. It uses no network, and imports only the plugin that is
being checked.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
from collections.abc import Collection
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, TypeAdapter

from nfcore.errors import UserError
from nfcore.io.atomic import write_atomic
from nfcore.io.toml_files import read_toml
from nfcore.options import Options, mistakes, parse
from nfcore.plugin.components import INTERFACE_LEVELS, Kind
from nfcore.plugin.entry_points import canonical
from nfcore.plugin.manager import PluginManager

_NAME = r"^[a-z0-9]+(-[a-z0-9]+)*$"
# No shell metacharacters, and no option that changes pip's index.
_INSTALL = r"^pip install( [\w.\[][\w./:@+=,\[\]#&~-]*)+$"


class CataloguedComponent(Options):
    """One component that a plugin offers."""

    kind: Kind = Field(description="Which interface it implements")
    name: str = Field(pattern=_NAME, description="How users call it")
    level: int = Field(1, ge=1, description="The interface level that it was written for")
    summary: str = Field(min_length=1, max_length=120, description="What it is, in one line")


class CataloguedRecipe(Options):
    """One recipe (named pipeline) that a plugin offers."""

    name: str = Field(pattern=_NAME, description="How users call it")
    summary: str = Field(min_length=1, max_length=120, description="What it is, in one line")


class Entry(Options):
    """One plugin's entry, written by its author and compared with the installed distribution."""

    distribution: str = Field(pattern=_NAME, description="The distribution's name, as pip normalises it")
    summary: str = Field(min_length=1, max_length=160, description="The distribution's own summary")
    install: str = Field(
        pattern=_INSTALL,
        description="The pip command that installs it; paths are relative to the root of nfcore's sources",
    )
    licence: str = Field(min_length=1, max_length=80, description="SPDX expression, such as MIT")
    maturity: Literal["experimental", "usable", "stable"] = Field(
        description="experimental: may change or fail; usable: tested, may change; stable: keeps its promises"
    )
    home_page: str = Field(
        pattern=r"^(https://\S+|plugins/[\w-]+)$",
        description="Where to read more; a folder for nfcore's own plugins",
    )
    components: tuple[CataloguedComponent, ...] = Field((), description="The components that it offers")
    recipes: tuple[CataloguedRecipe, ...] = Field((), description="The recipes that it offers")

    def offers(self) -> list[tuple[str, str]]:
        """Return kind (or ``"recipe"``) and name of everything that the plugin offers."""
        return [(c.kind, c.name) for c in self.components] + [("recipe", r.name) for r in self.recipes]


_INDEX = TypeAdapter(tuple[Entry, ...])


@functools.cache
def index() -> tuple[Entry, ...]:
    """Return all entries that ship with this core, sorted by distribution."""
    return _INDEX.validate_json(resources.files("nfcore_registry").joinpath("index.json").read_bytes())


def install_hint(kind: str, name: str) -> str | None:
    """Return how to install the plugin that offers ``name``, such as ``nfcore-x has it: pip install nfcore-x``.

    Args:
        kind: a component kind or ``"recipe"``.
        name: ``name`` or ``distribution/name``.

    Returns:
        One line, or None if no plugin in the catalogue offers that name, or if it is already installed.

    """
    distribution, _, bare = name.rpartition("/")
    hints = [
        f"{entry.distribution} has it: {entry.install}"
        for entry in index()
        if (kind, bare) in entry.offers()
        and canonical(distribution) in ("", entry.distribution)
        and installed_version(entry.distribution) is None
    ]
    return "; ".join(hints) or None


def installed_version(distribution: str) -> str | None:
    """Return the version of a distribution, or None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


# -- checking ----------------------------------------------------------------------------------------


def read_entry(path: Path) -> Entry:
    """Return the entry in ``path``.

    Raises:
        UserError: no such file, not TOML, or not an entry; names the field and what would be right.

    """
    return parse(Entry, read_toml(path), str(path))


def check_entry(path: Path, manager: PluginManager) -> list[str]:
    """Return all faults of the catalogue entry in ``path``, a sentence each.

    The entry is also compared with the plugin as ``manager`` knows it, and with the names of the other plugins in
    the catalogue. Fields of the wrong form are left out of these comparisons.
    """
    try:
        values = read_toml(path)
    except UserError as error:
        return [str(error)]
    wrong = mistakes(Entry, values, str(path))
    fields = {str(place[0]) for place in wrong}
    entry = parse(Entry, _stand_ins(path) | {k: v for k, v in values.items() if k not in fields}, str(path))
    others = [other for other in index() if other.distribution != entry.distribution]
    problems = [*_own_problems(entry, path), *_taken(entry, others), *_not_as_installed(entry, manager, fields)]
    return [*wrong.values(), *(f"{path}: {problem}" for problem in problems)]


def _stand_ins(path: Path) -> dict[str, str]:
    """Return a valid entry, to replace missing and invalid values of ``path``."""
    name = path.stem if re.fullmatch(_NAME, path.stem) else "unnamed"
    return {
        "distribution": name,
        "summary": "?",
        "install": f"pip install {name}",
        "licence": "?",
        "maturity": "experimental",
        "home_page": "https://?",
    }


def _own_problems(entry: Entry, path: Path) -> list[str]:
    problems = []
    if path.name != f"{entry.distribution}.toml":
        problems.append(f"the file of {entry.distribution!r} must be called {entry.distribution}.toml")
    offers = entry.offers()
    problems += [
        f"{kind} {name!r} is listed twice" for kind, name in sorted({o for o in offers if offers.count(o) > 1})
    ]
    for component in entry.components:
        level = INTERFACE_LEVELS[component.kind]
        if component.level != level:
            problems.append(
                f"{component.kind} {component.name!r} is for level {component.level} of that interface, "
                f"this nfcore has level {level}"
            )
    return problems


def _taken(entry: Entry, others: list[Entry]) -> list[str]:
    """Return faults for names that other plugins have: with both installed, a bare name would be ambiguous."""
    return [
        f"{kind} {name!r} is a name of {other.distribution}: choose another"
        for kind, name in entry.offers()
        for other in others
        if (kind, name) in other.offers()
    ]


def _not_as_installed(entry: Entry, manager: PluginManager, unknown: Collection[str]) -> list[str]:
    """Return the differences from the installed distribution; ``unknown`` fields of the entry are not compared."""
    try:
        found = metadata.metadata(entry.distribution)
    except metadata.PackageNotFoundError:
        return [
            f"{entry.distribution} is not installed here, so its components can't be compared: {entry.install}"
        ]
    broken = [p.problem for p in manager.plugins if p.distribution == entry.distribution and p.problem]
    if broken:
        return [f"{entry.distribution} is broken here: {broken[0]}"]
    offered = {
        "summary": _first(found, "Summary"),
        "licence": _first(found, "License-Expression", "License"),
        "components": [
            {"kind": c.kind, "name": c.name, "level": c.level, "summary": c.summary}
            for p, c in manager.components()
            if p.distribution == entry.distribution
        ],
        "recipes": [
            {"name": r.name, "summary": r.summary}
            for p, r in manager.recipes()
            if p.distribution == entry.distribution
        ],
    }
    return [
        problem
        for field, value in offered.items()
        if field not in unknown
        for problem in _differences(field, getattr(entry, field), value)
    ]


def _first(found: metadata.PackageMetadata, *fields: str) -> str | None:
    return next((value for field in fields for value in found.get_all(field) or ()), None)


def _differences(field: str, said: Any, found: Any) -> list[str]:
    if not isinstance(found, list):
        return [] if said == found else [f"{field} is {said!r}, the installed distribution says {found!r}"]
    what = field.removesuffix("s")
    entries = [dict(item) for item in said]
    return [
        f"{what} {_words(item)}: the installed plugin has none such" for item in entries if item not in found
    ] + [f"{what} {_words(item)} of the installed plugin is missing" for item in found if item not in entries]


def _words(item: dict[str, Any]) -> str:
    return ", ".join(f"{key} = {value!r}" for key, value in item.items())


# -- building ----------------------------------------------------------------------------------------


def build_index(folder: Path) -> str:
    """Return the text of ``index.json`` for the entries in ``folder``.

    Raises:
        UserError: an entry is wrong, or two plugins use the same name. Independent of what is installed.

    """
    paths = sorted(folder.glob("*.toml"))
    entries = [read_entry(path) for path in paths]
    for number, (path, entry) in enumerate(zip(paths, entries, strict=True)):
        problems = _own_problems(entry, path) + _taken(entry, entries[:number])
        if problems:
            raise UserError(f"{path}: {problems[0]}")
    return json.dumps([entry.model_dump(mode="json") for entry in entries], indent=2, ensure_ascii=False) + "\n"


def schema() -> str:
    """Return the text of ``schema.json``, the JSON schema of an entry."""
    return json.dumps(Entry.model_json_schema(), indent=2) + "\n"


def main(folder: Path) -> None:
    """Write ``index.json`` and ``schema.json`` in ``folder`` from its ``plugins/*.toml``.

    Raises:
        UserError: ``folder`` has no ``plugins``, or an entry is wrong.

    """
    if not (folder / "plugins").is_dir():
        raise UserError(f"{folder} has no folder 'plugins' with entries: give the registry's folder")
    write_atomic(folder / "index.json", build_index(folder / "plugins"))
    write_atomic(folder / "schema.json", schema())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write index.json and schema.json from plugins/*.toml.")
    parser.add_argument("folder", type=Path, help="the registry's folder, which has plugins/*.toml")
    try:
        main(parser.parse_args().folder)
    except UserError as error:
        parser.error(str(error))
