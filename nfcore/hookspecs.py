"""The hooks that a plugin may implement. A plugin's module imports ``nfcore`` and nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from nfcore.components import Component, Recipe

if TYPE_CHECKING:
    import typer

hookspec = pluggy.HookspecMarker("nfcore")
hookimpl = pluggy.HookimplMarker("nfcore")


@hookspec
def nfcore_components() -> Iterable[Component]:  # type: ignore[empty-body]
    """Yield the components that this plugin offers."""


@hookspec
def nfcore_recipes() -> Iterable[Recipe]:  # type: ignore[empty-body]
    """Yield the recipes (named pipelines) that this plugin offers."""


@hookspec
def nfcore_commands(app: typer.Typer) -> None:
    """Add commands of this plugin's own to the ``nfcore`` command line."""
