"""Whatever is in a file that a command reads, the command works or says in a line what is wrong.

``NFCORE_FUZZ=2000`` tries that many inputs with other random numbers each time; the default is few, and always the
same.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import warnings

import pytest
import tiny
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nfcore.cli import main
from nfcore.config.resolve import configure
from nfcore.runs import execute
from nfcore.scene.camera_paths import write_path

pytestmark = pytest.mark.slow

PYPROJECT = """
[project]
name = "tiny-dist"
version = "1"

[project.entry-points.nfcore]
tiny = "tiny_plugin"
"""
FUZZ = os.environ.get("NFCORE_FUZZ")
STILL = ("--still", "0", "--quiet")
POSES = ("--path", "reference", *STILL)
#: The commands that read each file of a run's folder.
COMMANDS = {
    "config.toml": [("compare", "it"), ("evaluate", "it", "-q"), ("report", "it")],
    "summary.json": [("compare", "it"), ("compare", "it", "--paper"), ("compare", "it", "--json")],
    "state/results.json": [("evaluate", "it", "-q"), ("report", "it"), ("render", "it", *POSES)],
    "metrics.jsonl": [("report", "it")],
    "views.json": [("report", "it")],
    "provenance.json": [("report", "it")],
    "exports/exact/manifest.json": [("report", "it"), ("bench", "it", "--repeats", "1")],
    "student.safetensors": [("render", "it", *POSES), ("render", "it/student.safetensors", *STILL)],
    "teacher.safetensors": [("render", "it", "--from", "teacher", *POSES)],
    "path.json": [("render", "it", "--path", "it/path.json", *STILL)],
    "sweep.toml": [("sweep", "it/sweep.toml", "--dry-run")],
}  # fmt: skip
PIECES = [
    b"9" * 5000,
    b"[" * 3000,
    b"1e999",
    b"null",
    b"NaN",
    b"-1",
    b"{}",
    b'"',
    b"\x00",
    b"\xff\xfe",
    b"true",
    b"\x1b[31m",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the tiny plugin and a finished run, in which commands run."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "plugin").mkdir()
    (folder / "plugin" / "pyproject.toml").write_text(PYPROJECT)
    execute(folder / "it", configure("tiny", tiny.manager()), components=tiny.manager())
    write_path(folder / "it" / "path.json", tiny.student().cameras[:2], fps=24)
    (folder / "it" / "sweep.toml").write_text('recipes = ["tiny"]\nseeds = [1, 2]\n')
    shutil.copytree(folder / "it", folder / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_STATE_HOME", str(folder / "logs"))
        yield folder


def outcome(*arguments: str) -> tuple[int, str]:
    """The exit code of a command, run in this process, and what it says on standard error."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr("sys.argv", ["nfcore", "--plugins-dir", "plugin", *arguments])
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                main()
            except SystemExit as end:
                return int(end.code or 0), said.getvalue()
    return 0, said.getvalue()


@given(data=st.data())
@settings(
    max_examples=int(FUZZ or 40),
    derandomize=FUZZ is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_a_command_on_a_damaged_file_works_or_says_what_is_wrong(place, data):
    name = data.draw(st.sampled_from(sorted(COMMANDS)))
    command = data.draw(st.sampled_from(COMMANDS[name]))
    content = (place / "whole" / name).read_bytes()
    at = data.draw(st.integers(0, min(len(content) - 1, 4000)))
    piece = data.draw(st.binary(max_size=8) | st.sampled_from(PIECES))
    damaged = content[:at] + piece + content[at + data.draw(st.integers(0, 12)) :]
    (place / "it" / name).write_bytes(damaged)
    try:
        code, said = outcome(*command)
    finally:
        shutil.rmtree(place / "it")
        shutil.copytree(place / "whole", place / "it")
    assert code in (0, 1, 2), said
    assert "Traceback" not in said
    assert "; its traceback: " not in said, said  # the last line of defence is no excuse
    assert "\x1b[31m" not in said
    assert len([line for line in said.splitlines() if line.startswith("nfcore: ")]) <= 2
