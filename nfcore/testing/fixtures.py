"""Pytest fixtures for plugins' tests; add ``pytest_plugins = ["nfcore.testing.fixtures"]`` to a conftest."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from nfcore.plugin import installed
from nfcore.plugin.manager import PluginManager


@pytest.fixture
def only_plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., PluginManager]]:
    """Exclude all installed plugins but those of the named distributions, in this process and its children.

    Example::

        def test_its_names_are_its_own(only_plugins):
            components = only_plugins("nfcore-fields").components()
    """

    def only(*distributions: str) -> PluginManager:
        monkeypatch.setenv("NFCORE_PLUGINS_ONLY", ",".join(distributions))
        monkeypatch.delenv("NFCORE_PLUGINS_DISABLE", raising=False)
        installed.forget()
        return installed.plugins()

    yield only
    monkeypatch.undo()
    installed.forget()
