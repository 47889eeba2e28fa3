"""What all of the core's tests share: one thread, a generator, and the tiny components of ``tiny.py``."""

from __future__ import annotations

import pytest
import tiny
import torch
from browser import chromium, opened  # noqa: F401 - fixtures
from command_line import command  # noqa: F401 - a fixture
from reported import finished  # noqa: F401 - a fixture

from nfcore.config.resolve import configure
from nfcore.config.schema import PipelineConfig
from nfcore.plugin.manager import PluginManager
from nfcore.runs import Run
from nfcore.ui.console import Console


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
