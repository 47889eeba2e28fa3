"""Which distribution can be installed where: resolved by uv for each platform and Python; nothing is built.

``python -m release platforms`` writes the table of docs/installation.md. Nothing is run on these platforms.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from release.projects import CORE, ROOT, Project, projects

PAGE = ROOT / "docs" / "installation.md"
#: The table's headings, and uv's names of the platforms.
PLATFORMS = {
    "Linux x86-64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "macOS arm64": "aarch64-apple-darwin",
    "macOS Intel": "x86_64-apple-darwin",
    "Windows": "x86_64-pc-windows-msvc",
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
#: Published without wheels, and of Python alone: pip builds them anywhere.
_PURE = ("antlr4-python3-runtime",)
_MACOS = "15.0"  # the oldest that Apple mends; uv would take 13
_AT_ONCE = 8
_BEGIN, _END = "<!-- resolved by python -m release platforms -->", "<!-- end -->"


def requirements(project: Project, known: dict[str, Project]) -> list[str]:
    """Return what ``project`` needs of others, also through other first-party distributions."""
    needed: set[str] = set()
    for text in project.metadata["dependencies"]:
        name = re.match(r"[\w.-]+", text)
        assert name is not None
        needed |= set(requirements(known[name[0]], known)) if name[0] in known else {text}
    return sorted(needed)


def fits(needed: Iterable[str], platform: str, python: str) -> bool:
    """Return whether wheels of all of ``needed`` fit together on a platform."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    pure = [part for name in _PURE for part in ("--no-binary", name)]
    command = [uv, "pip", "compile", "-", "--quiet", "--only-binary", ":all:", *pure]
    command += ["--python-platform", platform, "--python-version", python, "--no-header", "--no-annotate"]
    system = os.environ | {"MACOSX_DEPLOYMENT_TARGET": _MACOS}
    done = subprocess.run(command, input="\n".join(needed), capture_output=True, text=True, env=system)
    if done.returncode and "No solution found" not in done.stderr:
        raise SystemExit(f"uv failed: {done.stderr}")
    return done.returncode == 0


def table() -> str:
    """Return the table in Markdown: the Pythons that each distribution can be installed for on each platform."""
    known = {project.name: project for project in projects()}
    needs = {name: tuple(requirements(project, known)) for name, project in known.items()}
    places = [(platform, python) for platform in PLATFORMS.values() for python in PYTHONS]
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # uv mostly waits for the index
        core = needs[CORE]
        found = {
            (core, *place): fit
            for place, fit in zip(places, pool.map(lambda p: fits(core, *p), places), strict=True)
        }
        others = [needed for needed in dict.fromkeys(needs.values()) if needed != core]
        asked = [(needed, *place) for needed in others for place in places if found[core, *place]]
        found |= dict(zip(asked, pool.map(lambda each: fits(*each), asked), strict=True))
    rows = [["", *PLATFORMS], ["---"] * (1 + len(PLATFORMS))]
    for name, needed in needs.items():
        spans = [_span([v for v in PYTHONS if found.get((needed, p, v))]) for p in PLATFORMS.values()]
        rows.append([name, *spans])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _span(versions: list[str]) -> str:
    if not versions:
        return "no"
    if versions == list(PYTHONS)[: len(versions)] or len(versions) == 1:
        return versions[0] if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"
    return ", ".join(versions)


def write_table() -> None:
    """Replace the table in the documentation."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(f"{before}{_BEGIN}\n\n{table()}\n\n{_END}{after}")
