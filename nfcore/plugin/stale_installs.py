"""Stale editable installs: their entry points changed, but Python still sees those of the installation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import urlparse

from nfcore.errors import UserError
from nfcore.plugin.entry_points import GROUP, declared_entry_points, name_and_version, read_project


@dataclass(frozen=True)
class StaleInstall:
    """An editable install whose entry points differ from those of its project.

    Args:
        distribution: its canonical name.
        version: the version that was installed.
        problem: the difference.
        hint: how to repair it.

    """

    distribution: str
    version: str
    problem: str
    hint: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} is out of date: {self.problem}: {self.hint}"


def stale_installs() -> Iterator[StaleInstall]:
    """Yield the editable installs whose ``pyproject.toml`` declares other plugins than the installation."""
    for distribution in metadata.distributions():
        folder = _project_folder(distribution)
        if folder is None:
            continue
        try:
            name, version = name_and_version(distribution)
            installed = {entry.name: entry.value for entry in distribution.entry_points.select(group=GROUP)}
            declared = _declared(folder)
        except (UserError, ValueError, OSError):
            continue  # discovery reports unreadable metadata
        if installed and not folder.is_dir():
            yield StaleInstall(name, version, f"its project {folder} is gone", f"pip uninstall {name}")
        elif declared is not None and _plain(declared) != _plain(installed):
            yield StaleInstall(
                name,
                version,
                f"installed with {_names(installed)}; its pyproject.toml now declares {_names(declared)}",
                f"pip install -e {folder}",
            )


def _project_folder(distribution: metadata.Distribution) -> Path | None:
    """Return the project of an editable install, or None for another kind of install (PEP 610)."""
    from urllib.request import url2pathname  # imports http and ssl, which would slow down --help

    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        if not origin.get("dir_info", {}).get("editable"):
            return None
        return Path(url2pathname(urlparse(origin["url"]).path))
    except (ValueError, KeyError, AttributeError, OSError):
        return None


def _declared(folder: Path) -> dict[str, str] | None:
    """Return the plugins that the project declares now, or None without a readable ``pyproject.toml``."""
    path = folder / "pyproject.toml"
    if not path.is_file():
        return None
    project = read_project(path)
    if not project or "entry-points" in project.get("dynamic", ()):
        return None
    return declared_entry_points(project, path)


def _plain(entries: dict[str, str]) -> dict[str, str]:
    return {name: "".join(target.split()) for name, target in entries.items()}


def _names(entries: dict[str, str]) -> str:
    return ", ".join(f"{name} = {target}" for name, target in sorted(entries.items())) or "no plugin"
