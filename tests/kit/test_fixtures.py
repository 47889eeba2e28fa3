"""A plugin's tests can shut out all other plugins."""

from __future__ import annotations

from nfcore.plugin.installed import plugins
from nfcore.testing.fixtures import only_plugins  # noqa: F401 - a fixture


def test_only_the_named_plugins_are_there(only_plugins):  # noqa: F811
    only_plugins("nfcore-mobiler2l")
    assert {plugin.distribution for plugin in plugins().plugins} == {"nfcore-mobiler2l"}


def test_afterwards_all_are_there_again():
    assert len({plugin.distribution for plugin in plugins().plugins}) > 1
