"""Start of the command line, against the import of torch, and of the libraries that listings need."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks import data
from nfcore.measuring.timing import interleaved

#: The photos of the large data set: of which scene, from which split, and which split they are there.
_PHOTOS = (("lego", "train", "train"), ("chair", "train", "val"), ("lego", "test", "test"))
_POLL_SECONDS = 0.01


def measure() -> list[dict[str, Any]]:
    """Return wall seconds of a few commands, as ratios to ``import torch``, and the memory that they take."""
    nfcore = str(Path(sys.executable).parent / "nfcore")
    with tempfile.TemporaryDirectory() as folder:
        scene, many = str(Path(folder, "still-life")), Path(folder, "many")
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
        if data.DATA.is_dir():
            commands["nfcore scene, 225 photos of 800x800"] = [nfcore, "scene", _many_photos(many)]
        memory: dict[str, float] = {}

        def call(name: str) -> Callable[[], object]:
            def once() -> None:
                memory[name] = _peak(commands[name])

            return once

        timings = interleaved({name: call(name) for name in commands}, rounds=5)
    seconds = {name: timing.median for name, timing in timings.items()}
    return [
        {
            "command": name,
            "seconds": round(value, 3),
            "ratio to import torch": round(value / seconds["import torch"], 2),
            "peak, MiB": round(memory[name]),
        }
        for name, value in seconds.items()
    ]


def _many_photos(folder: Path) -> str:
    """Make a data set of 225 photos of 800x800, 100 of them to train on; return its folder."""
    folder.mkdir()
    for scene, split, there in _PHOTOS:
        source = data.scene(f"nerf_synthetic/{scene}")
        (folder / there).symlink_to(source / split)
        transforms = json.loads((source / f"transforms_{split}.json").read_text())
        for frame in transforms["frames"]:
            frame["file_path"] = frame["file_path"].replace(split, there, 1)
        (folder / f"transforms_{there}.json").write_text(json.dumps(transforms))
    return str(folder)


def _peak(command: list[str]) -> float:
    """Run a command; return the most memory that its process had, in MiB.

    The system is asked until it ends: ``ru_maxrss`` is no less than what this process had when it started it.
    """
    process, peak = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), 0
    while process.poll() is None:
        with suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
            peak = int(found[1]) if found else peak
        time.sleep(_POLL_SECONDS)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak / 1024
