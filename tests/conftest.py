"""What all of the core's tests share: one thread, a generator, and the tiny components of ``tiny.py``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch
from browser import chromium, opened  # noqa: F401 - fixtures

from nfcore.cli import main
from nfcore.config.resolve import configure
from nfcore.config.schema import PipelineConfig
from nfcore.plugin.manager import PluginManager
from nfcore.runs import Run
from nfcore.runtime.threads import limited_threads
from nfcore.ui.console import Console


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


@pytest.fixture
def manager() -> PluginManager:
    return tiny.manager()


@pytest.fixture
def config(manager) -> PipelineConfig:
    """The configuration of the tiny recipe."""
    return configure("tiny", manager)


@pytest.fixture
def console() -> Console:
    return Console(quiet=True)


@pytest.fixture
def run(tmp_path, config) -> Run:
    """A new run of the tiny recipe, in a folder ``run``."""
    return Run.create(tmp_path / "run", config, resume=False)


@pytest.fixture
def command(monkeypatch, capfd) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in this process, which has torch already, in the folder ``cwd``."""

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
