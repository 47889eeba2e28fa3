"""Checks of built files: what an index and a stranger expect of them."""

from __future__ import annotations

import email
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

from release.building import _RELATIVE
from release.projects import PLACEHOLDER, ROOT, version


def check(files: list[Path]) -> list[str]:
    """Return what is wrong with the built files: metadata, licences, versions, links."""
    problems = _twine(files)
    for path in files:
        if path.suffix == ".whl":
            problems += [f"{path.name}: {problem}" for problem in _wheel_problems(path)]
    return problems


def _twine(files: list[Path]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *map(str, files)], capture_output=True, text=True
    )
    return [] if done.returncode == 0 else [done.stdout + done.stderr]


def _wheel_problems(path: Path) -> Iterator[str]:
    metadata, licences = read_wheel(path)
    if metadata["Version"] != version():
        yield f"has version {metadata['Version']}, not {version()}: python -m release version {version()}"
    if not metadata.get_all("Project-URL"):
        yield "has no project URLs"
    if (ROOT / "LICENSE").read_text() not in licences:
        yield "lacks the licence's text"
    relative = _RELATIVE.findall(str(metadata.get_payload()))
    if relative:
        yield f"its README has relative links: {', '.join(link for *_, link in relative)}"


def read_wheel(path: Path) -> tuple[Message, list[str]]:
    """Return the metadata of a wheel, and the texts of its licence files."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        licences = [wheel.read(name).decode() for name in names if ".dist-info/licenses/" in name]
        return email.message_from_bytes(wheel.read(metadata)), licences


def sdist_names(path: Path) -> set[str]:
    """Return the names of the files in an sdist, relative to its folder."""
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def unpublished(home: str) -> str | None:
    """Return why the files must not be uploaded yet, or None."""
    if home == PLACEHOLDER:
        return f"their addresses are placeholders ({PLACEHOLDER}): python -m release home https://..."
    return None
