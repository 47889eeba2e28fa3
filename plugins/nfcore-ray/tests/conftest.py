"""What the sweep's tests share: the command in this process, and this folder on the path."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nfcore.cli import main

sys.path.insert(0, str(Path(__file__).parent))  # for sweeping.py


@pytest.fixture
def sweep_here(tmp_path, monkeypatch, capfd) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``nfcore sweep`` with a file of this text in this process, which has torch already."""

    def run(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "many.toml").write_text(text)
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(16))  # else Ray keeps one in the home folder
        monkeypatch.setenv("RAY_worker_niceness", "0")
        monkeypatch.setattr("sys.argv", ["nfcore", "sweep", "many.toml", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
            sys.exit(0)
        return subprocess.CompletedProcess(arguments, int(exit_.value.code or 0), *capfd.readouterr())

    return run
