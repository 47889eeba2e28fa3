"""Start of the command line, against the import of torch, and of the libraries that listings need."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nfcore.measuring.timing import interleaved


def measure() -> list[dict[str, Any]]:
    """Return wall seconds of a few commands, and as ratios to ``import torch``."""
    nfcore = str(Path(sys.executable).parent / "nfcore")
    with tempfile.TemporaryDirectory() as folder:
        scene = str(Path(folder, "still-life"))
        subprocess.run([nfcore, "make-scene", scene], check=True, capture_output=True)
        commands = {
            "import torch": [sys.executable, "-c", "import torch"],
            "import typer, rich, pydantic, pluggy": [sys.executable, "-c", "import typer, rich, pydantic, pluggy"],
            "nfcore --help": [nfcore, "--help"],
            "nfcore plugins list": [nfcore, "plugins", "list"],
            "nfcore recipes list": [nfcore, "recipes", "list"],
            "nfcore scene, 88 photos of 100x100": [nfcore, "scene", scene],
            "nfcore doctor": [nfcore, "doctor"],
        }

        def call(command: list[str]) -> Callable[[], object]:
            return lambda: subprocess.run(command, check=True, capture_output=True)

        timings = interleaved({name: call(command) for name, command in commands.items()}, rounds=5)
    seconds = {name: timing.median for name, timing in timings.items()}
    return [
        {
            "command": name,
            "seconds": round(value, 3),
            "ratio to import torch": round(value / seconds["import torch"], 2),
        }
        for name, value in seconds.items()
    ]
