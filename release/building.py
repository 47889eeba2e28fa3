"""Builds each distribution as an sdist, and its wheel from that sdist, without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath

from release.projects import ROOT, Project, home

#: A link or a picture in Markdown, unless it is an address or an anchor.
_RELATIVE = re.compile(r"(!?)(\[[^\]]*\])\((?!https?://|#|mailto:)([^)\s]+)\)")
#: The core's folder also holds everything else.
_OF_THE_CORE = ("nfcore", "registry", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")
_SKIPPED = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", ".*", "node_modules")


def build(project: Project, out: Path) -> tuple[Path, Path]:
    """Build the sdist of ``project``, and the wheel from it; return both files."""
    with tempfile.TemporaryDirectory() as folder:
        staged, built = Path(folder, "source"), Path(folder, "built")
        stage(project, staged)
        built.mkdir()
        _run("-c", f"from setuptools.build_meta import build_sdist; build_sdist({str(built)!r})", folder=staged)
        (sdist,) = built.glob("*.tar.gz")
        wheel_of = ["-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(built)]
        _run(*wheel_of, str(sdist), PIP_NO_INDEX="1", npm_config_offline="true")
        (wheel,) = built.glob("*.whl")
        out.mkdir(parents=True, exist_ok=True)
        return shutil.copy(sdist, out / sdist.name), shutil.copy(wheel, out / wheel.name)


def stage(project: Project, target: Path) -> None:
    """Copy the sources of ``project`` as they are released: links are addresses, plugins are on an index."""
    if project.folder != ROOT:
        shutil.copytree(project.folder, target, ignore=_SKIPPED)
    else:
        target.mkdir()
        for name in _OF_THE_CORE:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=_SKIPPED)
            else:
                shutil.copy(source, target)
        index = target / "registry" / "index.json"
        index.write_text(released_index(index.read_text()))
    readme = target / "README.md"
    readme.write_text(with_addresses(readme.read_text(), project.folder.relative_to(ROOT).as_posix()))


def released_index(text: str) -> str:
    """Return the catalogue's index for users without a clone: first-party plugins come from a package index."""
    text = text.replace('"pip install ./plugins/', '"pip install ')
    return text.replace('"plugins/', f'"{home()}/source/plugins/')


def with_addresses(text: str, folder: str) -> str:
    """Return Markdown of a file in ``folder`` with an address for each relative link and picture.

    >>> with_addresses("[docs](../../docs/teachers.md#speed)", "plugins/nfcore-teachers")
    '[docs](https://nfcore.example/source/docs/teachers.md#speed)'
    """

    def address(found: re.Match[str]) -> str:
        picture, label, link = found.groups()
        path, hash_, anchor = link.partition("#")
        place = os.path.normpath(PurePosixPath(folder) / path)
        raw = "?raw=true" if picture else ""  # hosts of repositories show a page around the file without it
        return f"{picture}{label}({home()}/source/{place}{raw}{hash_}{anchor})"

    return _RELATIVE.sub(address, text)


def _run(*arguments: str, folder: Path = ROOT, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stdout}")
