"""Plugins that a test makes as objects, without files."""

from __future__ import annotations

import nfcore
from nfcore import Component, Recipe


def offering(*components: Component, recipes: tuple[Recipe, ...] = ()) -> object:
    class Plugin:
        @nfcore.hookimpl
        def nfcore_components(self):
            return list(components)

        @nfcore.hookimpl
        def nfcore_recipes(self):
            return list(recipes)

    return Plugin()


def hooks(**functions) -> object:
    """A plugin with the given hooks."""
    return type("Plugin", (), {name: staticmethod(nfcore.hookimpl(f)) for name, f in functions.items()})()
