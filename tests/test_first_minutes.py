"""A stranger's first ten minutes: README's commands, as printed and in order, in a fresh environment from wheels.

``make release`` runs it on the wheels that it has built. Only what a stranger would wait for is made smaller.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import venv
from pathlib import Path

import pytest
from documentation import ROOT, shell_lines
from test_documented_commands import accepted, configure_as, folder  # noqa: F401 - the last is a fixture

from release.trial import TINY

#: What is not run here, and why.
LEFT_OUT = {
    "can.mp4": "a film of one's own: nfcore-pose's tests pose one",
    "nfcore pose": "so they do photos",
    "nfcore sweep": "nfcore-ray is not in [standard]: its tests run the sweep",
}
#: What makes a command small.
SMALL = {
    "nfcore run field": ["minutes=0.1", "image_size=64"],
    "nfcore run baked": ["minutes=0.1", "image_size=64"],
    "nfcore run mobiler2l": [*TINY[:-1], "student.width=16", "student.depth=4"],
    "nfcore run": TINY,
    "nfcore recipes show": TINY,
}


@pytest.fixture
def wheels() -> Path:
    built = os.environ.get("NFCORE_WHEELS")
    if not built:
        pytest.skip("NFCORE_WHEELS names no folder of wheels: `make release` builds them and runs this")
    return Path(built).resolve()


@pytest.fixture
def fresh(tmp_path, wheels) -> dict[str, str]:
    """The variables of a shell in a fresh environment whose pip finds the wheels; nothing of this environment."""
    venv.create(tmp_path / "venv", with_pip=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    folders = [str(wheels), clean.get("PIP_FIND_LINKS", "")]
    return clean | {
        "PATH": f"{tmp_path / 'venv' / 'bin'}{os.pathsep}{clean['PATH']}",
        "PIP_FIND_LINKS": " ".join(filter(None, folders)),
    }


def run(line: str, cwd: Path, environ: dict[str, str]) -> str:
    """Run a line as a shell does; return what it printed."""
    done = subprocess.run(["/bin/sh", "-c", line], cwd=cwd, env=environ, capture_output=True, text=True)
    if "pip install" in line and "No matching distribution" in done.stderr:
        pytest.skip(f"no package registry: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout + done.stderr


def made_small(line: str) -> str:
    changes = next((small for start, small in SMALL.items() if line.startswith(start)), [])
    if "image_size=" in line:  # it is in the run's name, which another command of the page may have too
        changes = [change for change in changes if not change.startswith("image_size=")]
    return " ".join([line, *(f"--set {change}" for change in changes)])


def own_files(here: Path, environ: dict[str, str]) -> None:
    """Make what the page calls the user's own, of what the first run left: photos, a run, its student."""
    run("nfcore make-scene path/to/photos --image-size 200", here, environ)
    shutil.copytree(here / "path/to/photos", here / "PATH")
    shutil.copytree(here / "runs/quickstart", here / "RUN")
    shutil.copy(here / "RUN/student.safetensors", here)


def shown() -> list[str]:
    return [line for line in shell_lines(ROOT / "README.md") if not any(part in line for part in LEFT_OUT)]


def test_the_readme_begins_with_one_install_and_one_run_and_shows_what_is_left_out_here():
    first, second, *_ = shown()
    assert (first, second) == ('pip install "neural-field-core[standard]"', "nfcore run quickstart")
    lines = shell_lines(ROOT / "README.md")
    assert [part for part in LEFT_OUT if not any(part in line for line in lines)] == []


@pytest.mark.slow  # exporters import what they convert with
def test_what_makes_a_command_small_are_settings_that_it_has(folder, monkeypatch):  # noqa: F811
    monkeypatch.chdir(folder)
    for line in shown():
        for part in re.split(r" && | > \S+", made_small(line)):
            if part.startswith("nfcore "):
                configure_as(accepted(shlex.split(part)[1:]))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_readmes_commands_work_as_printed_in_a_fresh_environment(tmp_path, fresh):
    here = tmp_path / "here"
    here.mkdir()
    for number, line in enumerate(shown()):
        run(made_small(line), here, fresh)
        if number == 1:
            own_files(here, fresh)
    assert run("python -c 'import nfcore; print(nfcore.__file__)'", here, fresh).startswith(str(tmp_path / "venv"))
    assert run("pip check", here, fresh).strip() == "No broken requirements found."
    assert (here / "scene.png").is_file()
    assert list((here / "runs/quickstart/exports/webgl").glob("*.html"))
    assert list(here.rglob("*.webm"))
