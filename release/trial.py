"""A trial as a newcomer has it: a fresh environment, one name, no constraints, a pipeline, its page."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import venv
from pathlib import Path

from release.projects import CORE

#: The quickstart, small enough for a trial: everything is used, nothing is good.
TINY = [
    "image_size=64",
    "teach.steps=40",
    "distill.steps=20",
    "distill.views=8",
    "distill.first_views=8",
    "finetune.steps=5",
    "student.encoding.resolution=16",
]


def try_out(dist: Path, extra: str, *, sdists: bool = False) -> None:
    """Install ``neural-field-core[extra]`` of the built files, and run the quickstart at a small size.

    Args:
        dist: the folder of sdists and wheels.
        extra: what to install.
        sdists: whether first-party distributions are installed from sdists; what they need never is.

    Raises:
        SystemExit: a step failed.

    """
    with tempfile.TemporaryDirectory() as folder:
        python = _environment(Path(folder, "venv"))
        sources = ["--no-binary", ",".join(_names(dist))] if sdists else []
        pip = (python, "-m", "pip")
        _step(folder, *pip, "install", "--quiet", "--find-links", dist, *sources, f"{CORE}[{extra}]")
        _step(folder, *pip, "check")
        nfcore = python.with_name("nfcore")
        _step(folder, nfcore, "--version")
        _step(folder, nfcore, "doctor")
        _step(
            folder,
            nfcore,
            "run",
            "quickstart",
            "--quiet",
            *(part for change in TINY for part in ("--set", change)),
        )
        _step(folder, nfcore, "export", "quickstart", "web", "--quiet")
        (page,) = Path(folder, "runs/quickstart/exports/web").glob("*.html")
        print(f"a page of {page.stat().st_size / 1e6:.1f} MB", flush=True)


def _environment(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


def _names(dist: Path) -> list[str]:
    return sorted({path.name.partition("-")[0].replace("_", "-") for path in dist.glob("*.tar.gz")})


def _step(folder: str, *command: str | Path) -> None:
    """Run a command in ``folder``, without what the calling environment says about Python."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    started = time.perf_counter()
    done = subprocess.run(list(map(str, command)), cwd=folder, env=clean, capture_output=True, text=True)
    words = " ".join(Path(part).name if isinstance(part, Path) else part for part in command)
    print(f"{time.perf_counter() - started:6.1f} s  {words}", flush=True)
    if done.returncode:
        raise SystemExit(f"{words} failed with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
