"""Isolation of plugins: whatever a plugin raises or yields, only it is broken, and the reason is kept."""

from __future__ import annotations

import contextlib
import re
import reprlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from nfcore import hookspecs
from nfcore.errors import NfcoreError, PluginError
from nfcore.plugin.components import KINDS, Component, Publication, Recipe
from nfcore.plugin.entry_points import PluginSource

Offer = TypeVar("Offer", Component, Recipe, Publication)
File = TypeVar("File", Recipe, Publication)

# A plugin can't influence calls of other plugins: markers that would are rejected, not ignored.
_ALONE = "each plugin's hooks are called separately, so there is nothing to wrap"
_UNORDERED = "the order in which plugins are called can't be chosen"
_REFUSED_MARKERS = {"wrapper": _ALONE, "hookwrapper": _ALONE, "tryfirst": _UNORDERED, "trylast": _UNORDERED}

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass
class Plugin:
    """One plugin: its offers, or why it is broken, with the exception."""

    source: PluginSource
    components: list[Component] = field(default_factory=list)
    recipes: list[Recipe] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    problem: str | None = None
    error: BaseException | None = None

    @property
    def distribution(self) -> str:
        """The distribution of the plugin."""
        return self.source.distribution

    def __str__(self) -> str:
        return str(self.source)


class PluginIsolation:
    """Loads plugins and calls their hooks, each separately."""

    def __init__(self) -> None:
        self.hooks = pluggy.PluginManager("nfcore")
        self.hooks.add_hookspecs(hookspecs)

    def load(self, source: PluginSource) -> Plugin:
        """Return a plugin with its offers, or with only its ``problem``."""
        plugin = Plugin(source)
        name = source.name
        if self.hooks.has_plugin(name):
            plugin.problem = f"the entry point {source.entry_point!r} is declared twice"
            return plugin
        try:
            with _stdout_kept_clean():
                self._register(source.load(), name)
                plugin.components = [_checked(c) for c in self._offers(name, "nfcore_components", Component)]
                plugin.recipes = [_checked_file(r) for r in self._offers(name, "nfcore_recipes", Recipe)]
                publications = self._offers(name, "nfcore_publications", Publication)
                plugin.publications = [_checked_file(p) for p in publications]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # also SystemExit and panics of Rust extensions
            plugin.problem, plugin.error = reason(error), error
            plugin.components, plugin.recipes, plugin.publications = [], [], []
            if self.hooks.has_plugin(name):
                self.hooks.unregister(name=name)
        return plugin

    def _register(self, thing: object, name: str) -> None:
        """Register a plugin's hooks; reject an object without hooks before pluggy reports it for all plugins."""
        hooks = [
            (attribute, options)
            for attribute in dir(thing)
            if (options := self.hooks.parse_hookimpl_opts(thing, attribute)) is not None
        ]
        for attribute, options in hooks:
            _refuse_markers(attribute, options)
        if not hooks:
            near = [attribute for attribute in dir(thing) if attribute.startswith("nfcore_")]
            raise PluginError(
                f"{near[0]} lacks its @nfcore.hookimpl" if near else f"{reprlib.repr(thing)} has no hook of nfcore"
            )
        known = self.hooks.get_name(thing)
        if known is not None:
            raise PluginError(f"its module is the same as that of {known}: two packages have one name")
        self.hooks.register(thing, name)
        self.hooks.check_pending()

    def _offers(self, plugin_name: str, hook: str, type_: type[Offer]) -> list[Offer]:
        offers: list[Offer] = []
        for implementation in getattr(self.hooks.hook, hook).get_hookimpls():
            if implementation.plugin_name == plugin_name:
                offers.extend(implementation.function())
        for offer in offers:
            if not isinstance(offer, type_):
                raise PluginError(f"{hook} yielded {reprlib.repr(offer)}, not a {type_.__name__}")
        return offers

    def call(self, plugin: Plugin, hook: str, **arguments: Any) -> bool:
        """Call ``hook`` of one plugin in isolation; on an error set its ``problem`` and return False."""
        try:
            for implementation in getattr(self.hooks.hook, hook).get_hookimpls():
                if implementation.plugin_name == plugin.source.name:
                    implementation.function(**{name: arguments[name] for name in implementation.argnames})
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            plugin.problem = reason(error)
            return False
        return True


def _refuse_markers(name: str, options: pluggy.HookimplOpts) -> None:
    """Reject options of pluggy's marker that have no effect on plugins called separately."""
    for marker, why in _REFUSED_MARKERS.items():
        if options.get(marker):
            raise PluginError(f"{name} is marked {marker}=True, but {why}: remove the marker")


def _checked(component: Component) -> Component:
    if component.kind not in KINDS:
        raise PluginError(f"component {component.name!r} has the unknown kind {component.kind!r}")
    _check_name("component", component.name)
    if not isinstance(component.target, str) or not _TARGET.fullmatch(component.target):
        raise PluginError(
            f"{component.kind} {component.name!r} has the target {reprlib.repr(component.target)}; "
            "a target is 'package.module:Class'"
        )
    if not isinstance(component.level, int) or not isinstance(component.summary, str):
        raise PluginError(f"{component.kind} {component.name!r}: its level must be an int, its summary a str")
    return component


def _checked_file(offer: File) -> File:
    what = type(offer).__name__.lower()
    _check_name(what, offer.name)
    if not isinstance(offer.path, Path) or not isinstance(offer.summary, str):
        raise PluginError(f"{what} {offer.name!r}: its path must be a Path, its summary a str")
    return offer


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PluginError(f"a {what}'s name is lower case, words joined by dashes, not {reprlib.repr(name)}")


def reason(error: BaseException) -> str:
    """Return an error as one line, with its type unless it is nfcore's own."""
    try:
        lines = str(error).strip().splitlines() or [""]
    except Exception:
        lines = ["(its message can't be read)"]
    text = " ".join(lines) if isinstance(error, pluggy.PluginValidationError) else lines[0]
    return text if isinstance(error, NfcoreError) else f"{type(error).__name__}: {text}"


@contextlib.contextmanager
def _stdout_kept_clean() -> Iterator[None]:
    """Redirect what a plugin prints while it is loaded to stderr: stdout may be read as JSON."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
