"""The distributions of this repository, and what all of them share: a version, addresses, a licence."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CORE = "neural-field-core"
#: Reserved by RFC 2606: nothing is published there. `python -m release home URL` replaces it everywhere.
PLACEHOLDER = "https://nfcore.example"
#: A requirement of one first-party distribution by another.
_OWN = r'"((?:neural-field-core|nfcore-[\w-]+)(?:\[[\w,-]+\])?)>=[\d.]+,<[\d.]+"'


@dataclass(frozen=True)
class Project:
    """One distribution.

    Args:
        folder: the folder of its pyproject.toml.

    """

    folder: Path

    @property
    def metadata(self) -> dict[str, Any]:
        """The table ``project`` of its pyproject.toml."""
        table: dict[str, Any] = tomllib.loads((self.folder / "pyproject.toml").read_text())["project"]
        return table

    @property
    def name(self) -> str:
        """The distribution's name."""
        return str(self.metadata["name"])


def projects() -> list[Project]:
    """Return all distributions, the core first."""
    return [Project(ROOT), *(Project(path.parent) for path in sorted(ROOT.glob("plugins/*/pyproject.toml")))]


def version() -> str:
    """Return the version of all distributions: the core's own."""
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / "nfcore/__init__.py").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def home() -> str:
    """Return the address of the project's pages."""
    return str(Project(ROOT).metadata["urls"]["Homepage"])


def set_version(new: str) -> None:
    """Write the version of all distributions, and the range in which they need each other."""
    major, minor, *_ = new.split(".")
    needed = f">={major}.{minor},<{major}.{int(minor) + 1}"
    _rewrite(ROOT / "nfcore/__init__.py", r'(?m)^__version__ = ".+"$', f'__version__ = "{new}"')
    for path in _pyprojects():
        _rewrite(path, r'(?m)^version = ".+"$', f'version = "{new}"')
        _rewrite(path, _OWN, rf'"\1{needed}"')


def set_home(address: str) -> None:
    """Write the address of the project's pages into all distributions."""
    before = home()
    for path in _pyprojects():
        path.write_text(path.read_text().replace(f'"{before}', f'"{address.rstrip("/")}'))


def _pyprojects() -> Iterator[Path]:
    yield from (project.folder / "pyproject.toml" for project in projects())
    yield from ROOT.glob("examples/*/pyproject.toml")


def _rewrite(path: Path, pattern: str, replacement: str) -> None:
    path.write_text(re.sub(pattern, replacement, path.read_text()))
