"""Isolation of plugins: whatever a plugin raises or yields, only it is broken, and the reason is kept."""

from __future__ import annotations

import itertools
import reprlib
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

import pluggy

from nfcore import hookspecs
from nfcore.errors import Interrupted, NfcoreError, PluginError
from nfcore.plugin.components import Component, Publication, Recipe
from nfcore.plugin.entry_points import PluginSource
from nfcore.plugin.guard import guarded
from nfcore.plugin.offers import MOST_OFFERS, component, publication, recipe
from nfcore.plugin.watchdog import watched
from nfcore.runtime import signals
from nfcore.runtime.plain_text import plain

Offer = TypeVar("Offer", Component, Recipe, Publication)

_LONGEST = 1000  # characters of a reason

# A plugin can't influence calls of other plugins: markers that would are rejected, not ignored.
_ALONE = "each plugin's hooks are called separately, so there is nothing to wrap"
_UNORDERED = "the order in which plugins are called can't be chosen"
_REFUSED_MARKERS = {"wrapper": _ALONE, "hookwrapper": _ALONE, "tryfirst": _UNORDERED, "trylast": _UNORDERED}


@dataclass
class Plugin:
    """One plugin: its offers, or why it is broken, with the exception."""

    source: PluginSource
    components: list[Component] = field(default_factory=list)
    recipes: list[Recipe] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    problem: str | None = None
    error: BaseException | None = None
    #: Top-level packages of its code, as far as known without importing its components.
    packages: set[str] = field(default_factory=set)

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
            with guarded(), watched(source, registers=True):
                thing = source.load()
                plugin.packages.add(source.package or _package_of(thing))
                self._register(thing, name)
                plugin.components = [component(c) for c in self._offers(name, "nfcore_components", Component)]
                plugin.recipes = [recipe(r) for r in self._offers(name, "nfcore_recipes", Recipe)]
                publications = self._offers(name, "nfcore_publications", Publication)
                plugin.publications = [publication(p) for p in publications]
                plugin.packages |= {offer.target.partition(".")[0] for offer in plugin.components}
        except BaseException as error:  # also SystemExit and panics of Rust extensions
            if is_users(error):
                raise
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
                offers.extend(itertools.islice(implementation.function(), MOST_OFFERS + 1))
        if len(offers) > MOST_OFFERS:
            raise PluginError(f"{hook} yielded more than {MOST_OFFERS}")
        for offer in offers:
            if not isinstance(offer, type_):
                raise PluginError(f"{hook} yielded {reprlib.repr(offer)}, not a {type_.__name__}")
        return offers

    def call(self, plugin: Plugin, hook: str, **arguments: Any) -> bool:
        """Call ``hook`` of one plugin in isolation; on an error set its ``problem`` and return False."""
        try:
            with guarded(), watched(plugin.source, registers=hook == "nfcore_commands"):
                for implementation in getattr(self.hooks.hook, hook).get_hookimpls():
                    if implementation.plugin_name == plugin.source.name:
                        implementation.function(**{name: arguments[name] for name in implementation.argnames})
        except BaseException as error:
            if is_users(error):
                raise
            plugin.problem = reason(error)
            return False
        return True


def _refuse_markers(name: str, options: pluggy.HookimplOpts) -> None:
    """Reject options of pluggy's marker that have no effect on plugins called separately."""
    for marker, why in _REFUSED_MARKERS.items():
        if options.get(marker):
            raise PluginError(f"{name} is marked {marker}=True, but {why}: remove the marker")


def is_users(error: BaseException) -> bool:
    """Whether an error that a plugin's code raised is the user's wish to end, not the plugin's fault."""
    if signals.handling():  # then a signal raises Interrupted, and nothing else does
        return isinstance(error, Interrupted) and signals.received()
    return isinstance(error, Interrupted | KeyboardInterrupt)


def reason(error: BaseException) -> str:
    """Return an error as one line of plain text, with its type unless it is nfcore's own."""
    try:
        lines = str(error).strip().splitlines() or [""]
    except BaseException as unreadable:
        if is_users(unreadable):
            raise
        lines = ["(its message can't be read)"]
    text = " ".join(lines) if isinstance(error, pluggy.PluginValidationError) else lines[0]
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    return plain(text if isinstance(error, NfcoreError) else f"{type(error).__name__}: {text}")


def _package_of(thing: object) -> str:
    name = getattr(thing, "__name__", None) if isinstance(thing, ModuleType) else type(thing).__module__
    return str(name).partition(".")[0]
