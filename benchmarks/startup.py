"""Start-up of the command line, against importing only its libraries."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nfcore.measuring.timing import interleaved


def measure() -> list[dict[str, Any]]:
    """Return wall seconds of a few commands and their excess over the imports."""
    nfcore = str(Path(sys.executable).parent / "nfcore")
    commands = {
        "import typer, rich, pydantic, pluggy": [sys.executable, "-c", "import typer, rich, pydantic, pluggy"],
        "nfcore --help": [nfcore, "--help"],
        "nfcore plugins list": [nfcore, "plugins", "list"],
        "nfcore recipes list": [nfcore, "recipes", "list"],
    }

    def call(command: list[str]) -> Callable[[], object]:
        return lambda: subprocess.run(command, check=True, capture_output=True)

    timings = interleaved({name: call(command) for name, command in commands.items()}, rounds=9)
    seconds = {name: timing.median for name, timing in timings.items()}
    bare = next(iter(seconds.values()))
    return [
        {
            "command": name,
            "seconds": round(value, 3),
            "over bare imports, s": round(value - bare, 3),
            "ratio": round(value / bare, 2),
        }
        for name, value in seconds.items()
    ]
