"""Sources of plugins: installed entry points, and source folders named by ``--plugins-dir``."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from nfcore.errors import UserError
from nfcore.io.toml_files import read_toml

GROUP = "nfcore"


def canonical(distribution: str) -> str:
    """Return a distribution's normalised name: ``My_Plugin`` becomes ``my-plugin``."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


@dataclass(frozen=True)
class PluginSource:
    """One entry point of group ``nfcore``, not yet loaded.

    Args:
        distribution: the distribution that declares it, by its canonical name.
        version: that distribution's version.
        entry_point: the entry point's own name.
        load: imports and returns the plugin module; may raise anything.
        package: the top-level package of that module; empty if it is not known.

    """

    distribution: str
    version: str
    entry_point: str
    load: Callable[[], object]
    package: str = ""

    @property
    def name(self) -> str:
        """The name under which the plugin is registered, ``distribution:entry_point``."""
        return f"{self.distribution}:{self.entry_point}"

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


def installed() -> Iterator[PluginSource]:
    """Yield the plugins of all installed distributions; a distribution without a name raises when loaded."""
    seen = set()
    for found in metadata.distributions():
        text = found.read_text("entry_points.txt") or ""
        if f"[{GROUP}]" not in text:
            continue
        try:
            name, version = name_and_version(found)
        except ValueError as error:
            yield PluginSource("an unnamed distribution", "?", f"in {found.locate_file('')}", _raises(error))
            continue
        if name in seen or metadata.distribution(name).read_text("entry_points.txt") != text:
            continue  # an older copy later on sys.path, which Python does not use either
        seen.add(name)
        for entry in found.entry_points.select(group=GROUP):
            yield PluginSource(name, version, entry.name, entry.load, _package(entry.value))


def name_and_version(distribution: metadata.Distribution) -> tuple[str, str]:
    """Return a distribution's canonical name and its version.

    Raises:
        ValueError: its metadata lacks one of them.

    """
    described = distribution.metadata  # parsed on each access
    if "Name" not in described or "Version" not in described:
        raise ValueError("its METADATA lacks a name or a version")
    return canonical(described["Name"]), described["Version"]


def _package(target: str) -> str:
    """Return the top-level package of an entry point's target, ``package.module:attribute``."""
    return target.partition(":")[0].partition(".")[0].strip()


def _raises(error: Exception) -> Callable[[], object]:
    def load() -> object:
        raise error

    return load


def in_folder(folder: Path) -> Iterator[PluginSource]:
    """Yield the plugins with sources in ``folder`` or its sub-folders, without installing them.

    A plugin's folder has a ``pyproject.toml`` with ``[project.entry-points.nfcore]`` and its packages under
    ``src/`` (or next to it); that folder is put on ``sys.path``.

    Raises:
        UserError: ``folder`` is missing or contains no plugin.

    """
    for path in _projects(folder):
        yield from _from_project(path)


def _projects(folder: Path) -> list[Path]:
    """Return the projects in ``folder`` that declare plugins."""
    candidates = (folder / "pyproject.toml", *sorted(folder.glob("*/pyproject.toml")))
    projects = [
        path.resolve() for path in candidates if path.is_file() and declared_entry_points(read_project(path), path)
    ]
    if not projects:
        raise UserError(f"--plugins-dir {folder}: no pyproject.toml with [project.entry-points.{GROUP}] in there")
    return projects


def _from_project(path: Path) -> Iterator[PluginSource]:
    project = read_project(path)
    source = path.parent / "src"
    root = str((source if source.is_dir() else path.parent).resolve())
    for name, target in declared_entry_points(project, path).items():
        if root not in sys.path:
            sys.path.insert(0, root)
        yield PluginSource(
            canonical(str(project.get("name", path.parent.name))),
            str(project.get("version", "0")),
            name,
            metadata.EntryPoint(name, target, GROUP).load,
            _package(target),
        )


def read_project(path: Path) -> Mapping[str, Any]:
    """Return the table ``project`` of a ``pyproject.toml``.

    Raises:
        UserError: not valid TOML, or ``project`` is no table.

    """
    project = read_toml(path).get("project", {})
    if not isinstance(project, dict):
        raise UserError(f"{path}: 'project' must be a table, not {project!r}")
    return project


def declared_entry_points(project: Mapping[str, Any], path: Path) -> dict[str, str]:
    """Return the entry points of group ``nfcore`` that a project declares.

    Raises:
        UserError: they are no table of texts.

    """
    groups = project.get("entry-points", {})
    entries = groups.get(GROUP, {}) if isinstance(groups, dict) else groups
    if not isinstance(entries, dict) or not all(isinstance(target, str) for target in entries.values()):
        raise UserError(f'{path}: [project.entry-points.{GROUP}] must hold lines such as my-plugin = "my_package"')
    return entries


def discover(folders: Iterable[Path] = ()) -> list[PluginSource]:
    """Return all plugins; a distribution in ``folders`` takes precedence over its installed version."""
    importlib.invalidate_caches()
    projects = dict.fromkeys(path for folder in folders for path in _projects(folder))  # without duplicates
    sources = [source for path in projects for source in _from_project(path)]
    in_folders = {source.distribution for source in sources}
    return sources + [source for source in installed() if source.distribution not in in_folders]
