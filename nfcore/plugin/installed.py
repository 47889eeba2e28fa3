"""The plugins of this process: those installed, less those that the environment excludes.

The composition root: the one place where entry points, manager, catalogue and stale installs meet.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from nfcore.plugin.catalogue import install_hint
from nfcore.plugin.components import KINDS
from nfcore.plugin.entry_points import PluginSource, canonical, discover
from nfcore.plugin.manager import PluginManager
from nfcore.plugin.stale_installs import stale_installs


def named_in(variable: str, environ: Mapping[str, str]) -> set[str]:
    """Return the distributions that an environment variable lists, comma-separated."""
    return {canonical(name.strip()) for name in environ.get(variable, "").split(",") if name.strip()}


def _excluded_by(source: PluginSource, environ: Mapping[str, str]) -> str | None:
    """Return the variable that excludes a plugin, or None."""
    if source.distribution in named_in("NFCORE_PLUGINS_DISABLE", environ):
        return "NFCORE_PLUGINS_DISABLE"
    only = named_in("NFCORE_PLUGINS_ONLY", environ)
    return "NFCORE_PLUGINS_ONLY" if only and source.distribution not in only else None


def _elsewhere(what: str, name: str) -> Iterator[str]:
    """Yield where else a missing name may be found: in the catalogue, or in an outdated editable install."""
    kinds = KINDS if what == "component" else (what.replace(" ", "_"),)
    hints = (install_hint(kind, name) for kind in kinds)
    yield from dict.fromkeys(hint for hint in hints if hint is not None)
    yield from map(str, stale_installs())


@functools.cache
def _make(folders: tuple[Path, ...]) -> PluginManager:
    sources = [(source, _excluded_by(source, os.environ)) for source in discover(folders)]
    disabled = [(source, variable) for source, variable in sources if variable is not None]
    return PluginManager([source for source, variable in sources if variable is None], disabled, _elsewhere)


_folders: tuple[Path, ...] = ()
_manager: PluginManager | None = None


def use_plugin_folders(folders: Iterable[Path]) -> None:
    """Load plugins from source folders too, as ``--plugins-dir`` does."""
    global _folders
    _folders = tuple(folders)


def plugin_folders() -> tuple[Path, ...]:
    """Return the source folders that plugins are loaded from, in addition to installed ones."""
    return _folders


def plugins() -> PluginManager:
    """Return the manager of all plugins of this process, loaded on the first call."""
    global _manager
    _manager = _make(_folders)
    return _manager


def loaded() -> PluginManager | None:
    """Return the manager if it has been made, without loading anything."""
    return _manager


def forget() -> None:
    """Discard the manager, so that the next call of ``plugins`` loads the plugins again."""
    _make.cache_clear()
