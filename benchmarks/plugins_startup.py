"""Help, listings and shell completion with 50 more plugins, against importing only the libraries."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nfcore.measuring.timing import interleaved

_PLUGINS = 50

_MODULE = '''"""A plugin that offers one component of three kinds."""

import nfcore


@nfcore.hookimpl
def nfcore_components():
    yield nfcore.Component("encoding", "{name}-points", "{package}.points:Points", summary="Points", level=2)
    yield nfcore.Component("backbone", "{name}-body", "{package}.body:Body", summary="Residual blocks")
    yield nfcore.Component("teacher", "{name}-field", "{package}.field:Field", summary="A radiance field", level=2)
'''


def measure() -> list[dict[str, Any]]:
    """Return wall and processor seconds of a few commands, and the excess over the imports: at most 0.4 s.

    On a busy machine, wall time mostly measures the other work; processor time hardly does.
    """
    with tempfile.TemporaryDirectory() as folder:
        for number in range(_PLUGINS):
            _install(Path(folder), f"throwaway{number:02d}")
        environ = os.environ | {"PYTHONPATH": folder, "COLUMNS": "200"}
        listed = _run([_nfcore(), "plugins", "list"], environ).stdout
        if listed.count(b"throwaway") < 3 * _PLUGINS:
            raise RuntimeError("the throw-away plugins are not all listed: nothing to measure")
        # What bash runs when someone types "nfcore plugins info throw" and presses the tab key.
        typed = {"COMP_WORDS": "nfcore plugins info throw", "COMP_CWORD": "3", "_NFCORE_COMPLETE": "complete_bash"}
        commands = {
            "import typer, rich, pydantic, pluggy": [sys.executable, "-c", "import typer, rich, pydantic, pluggy"],
            "nfcore --help": [_nfcore(), "--help"],
            "nfcore plugins list": [_nfcore(), "plugins", "list"],
            "completion of a component's name": [_nfcore()],
        }
        environs = {name: environ | (typed if name.startswith("completion") else {}) for name in commands}

        processor: dict[str, list[float]] = {name: [] for name in commands}

        def call(name: str) -> Callable[[], object]:
            def run() -> None:
                before = _processor_seconds()
                _run(commands[name], environs[name])
                processor[name].append(_processor_seconds() - before)

            return run

        wall = interleaved({name: call(name) for name in commands}, rounds=11)
    cpu = {name: statistics.median(seconds) for name, seconds in processor.items()}
    bare = next(iter(commands))
    return [
        {
            "command": name,
            "seconds": round(wall[name].median, 3),
            "over bare imports, s": round(wall[name] - wall[bare], 3),
            "ratio": round(wall[name].median / wall[bare].median, 2),
            "processor s": round(cpu[name], 3),
            "over, processor s": round(cpu[name] - cpu[bare], 3),
        }
        for name in commands
    ]


def _processor_seconds() -> float:
    """Return the processor seconds of all finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _nfcore() -> str:
    return str(Path(sys.executable).parent / "nfcore")


def _run(command: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, check=True, capture_output=True, env=environ)


def _install(folder: Path, name: str) -> None:
    """Install a plugin into ``folder`` as pip would: its package and its distribution's metadata."""
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text(_MODULE.format(name=name, package=name))
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[nfcore]\n{name} = {name}\n")
