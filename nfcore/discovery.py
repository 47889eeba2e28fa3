"""Where plugins come from: installed entry points, and folders of sources named by ``--plugins-dir``."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from nfcore.errors import UserError

GROUP = "nfcore"


@dataclass(frozen=True)
class PluginSource:
    """One entry point of group ``nfcore``, not yet loaded.

    Args:
        distribution: the distribution that declares it.
        version: that distribution's version.
        entry_point: the entry point's own name.
        load: imports and returns the plugin module; may raise anything.

    """

    distribution: str
    version: str
    entry_point: str
    load: Callable[[], object]

    @property
    def name(self) -> str:
        """The name that the plugin is registered by, ``distribution:entry_point``."""
        return f"{self.distribution}:{self.entry_point}"


def installed() -> Iterator[PluginSource]:
    """Yield the plugins of all installed distributions."""
    for entry in metadata.entry_points(group=GROUP):
        if entry.dist is not None:
            yield PluginSource(entry.dist.name, entry.dist.version, entry.name, entry.load)


def in_folder(folder: Path) -> Iterator[PluginSource]:
    """Yield the plugins whose sources lie in ``folder`` or its sub-folders, without installing them.

    A plugin's folder has a ``pyproject.toml`` with ``[project.entry-points.nfcore]`` and its packages under
    ``src/`` (or beside it); that folder is put on ``sys.path``.

    Raises:
        UserError: ``folder`` is missing or holds no plugin.

    """
    projects = [
        path for path in (folder / "pyproject.toml", *sorted(folder.glob("*/pyproject.toml"))) if path.is_file()
    ]
    found = [source for path in projects for source in _from_project(path)]
    if not found:
        raise UserError(f"--plugins-dir {folder}: no pyproject.toml with [project.entry-points.{GROUP}] in there")
    yield from found


def _from_project(path: Path) -> Iterator[PluginSource]:
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None
    source = path.parent / "src"
    root = str((source if source.is_dir() else path.parent).resolve())
    for name, target in project.get("entry-points", {}).get(GROUP, {}).items():
        if root not in sys.path:
            sys.path.insert(0, root)
        entry = metadata.EntryPoint(name, target, GROUP)
        yield PluginSource(
            project.get("name", path.parent.name), str(project.get("version", "0")), name, entry.load
        )


def discover(folders: Iterable[Path] = ()) -> list[PluginSource]:
    """Return all plugins; a distribution found in ``folders`` hides its installed version."""
    importlib.invalidate_caches()
    sources = [source for folder in folders for source in in_folder(folder)]
    in_folders = {source.distribution for source in sources}
    return sources + [source for source in installed() if source.distribution not in in_folders]
