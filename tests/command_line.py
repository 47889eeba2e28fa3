"""The command line, run from the sources that these tests belong to: in a process of its own, or in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

#: In place of the script ``nfcore`` on the PATH, which may belong to another environment. As with the script, the
#: working folder is not on Python's path (-P).
NFCORE = [sys.executable, "-P", "-m", "nfcore"]


def environment(path: Iterable[str | Path] = (), **more: str) -> dict[str, str]:
    """This process's environment, with the folders in ``path`` before those of its PYTHONPATH."""
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    folders = os.pathsep.join(filter(None, [*map(str, path), *inherited]))
    return os.environ | {"COLUMNS": "200", "PYTHONPATH": folders} | more


def nfcore(
    *arguments: str | Path, path: Iterable[str | Path] = (), cwd: Path | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a command, with the distributions and modules in ``path`` installed next to the others."""
    environ = environment(path, **environ)
    return subprocess.run([*NFCORE, *arguments], capture_output=True, text=True, cwd=cwd, env=environ)


def assert_fails(done: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    """Assert that a command exited with ``code`` and one or two lines, in which all of ``said`` occurs."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("nfcore: ")
    assert len(done.stderr.strip().splitlines()) <= 2
    for part in said:
        assert part in done.stderr


@pytest.fixture
def command(monkeypatch, capfd) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in this process, which has torch already, in the folder ``cwd``."""
    import torch

    from nfcore.cli import main
    from nfcore.runtime.threads import limited_threads

    def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(cwd)
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr("sys.argv", ["nfcore", *map(str, arguments)])
        monkeypatch.setattr("nfcore.plugin.installed._folders", ())
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_, limited_threads(torch.get_num_threads()):
            main()
            sys.exit(0)
        return subprocess.CompletedProcess(arguments, int(exit_.value.code or 0), *capfd.readouterr())

    return run
