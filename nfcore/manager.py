"""Plugins: each is loaded inside its own fence; what it offers is found by kind and name."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from nfcore import hookspecs
from nfcore.components import INTERFACE_LEVELS, KINDS, Component, Kind, Recipe
from nfcore.discovery import PluginSource, discover
from nfcore.errors import NfcoreError, PluginError, nearest
from nfcore.options import Options, parse

Offer = TypeVar("Offer", Component, Recipe)


@dataclass
class Plugin:
    """One plugin as it was found: what it offers, or why it is broken."""

    source: PluginSource
    components: list[Component] = field(default_factory=list)
    recipes: list[Recipe] = field(default_factory=list)
    problem: str | None = None

    @property
    def distribution(self) -> str:
        """The distribution that brought the plugin."""
        return self.source.distribution

    def __str__(self) -> str:
        return f"{self.source.distribution} {self.source.version}"


class PluginManager:
    """Finds plugins, keeps a broken one from harming the others, and makes components by name.

    Args:
        sources: the plugins to load. One that raises while it is loaded or asked for what it offers is kept
            in ``plugins`` with its ``problem`` and offers nothing.

    """

    def __init__(self, sources: Iterable[PluginSource]) -> None:
        self.hooks = pluggy.PluginManager("nfcore")
        self.hooks.add_hookspecs(hookspecs)
        self.plugins = [self._load(source) for source in sources]

    def _load(self, source: PluginSource) -> Plugin:
        plugin = Plugin(source)
        try:
            self.hooks.register(source.load(), source.name)
            self.hooks.check_pending()
            plugin.components = [_checked(c) for c in self._offers(source.name, "nfcore_components", Component)]
            plugin.recipes = self._offers(source.name, "nfcore_recipes", Recipe)
        except (Exception, SystemExit) as error:
            plugin.problem = _reason(error)
            plugin.components, plugin.recipes = [], []
            if self.hooks.has_plugin(source.name):
                self.hooks.unregister(name=source.name)
        return plugin

    def _offers(self, plugin_name: str, hook: str, type_: type[Offer]) -> list[Offer]:
        offers: list[Offer] = []
        for implementation in getattr(self.hooks.hook, hook).get_hookimpls():
            if implementation.plugin_name == plugin_name:
                offers.extend(implementation.function())
        for offer in offers:
            if not isinstance(offer, type_):
                raise PluginError(f"{hook} yielded {offer!r}, not a {type_.__name__}")
        return offers

    def call_each(self, hook: str, **arguments: Any) -> None:
        """Call ``hook`` of every plugin, each in its own fence; one that raises becomes broken."""
        for implementation in getattr(self.hooks.hook, hook).get_hookimpls():
            try:
                implementation.function(**{name: arguments[name] for name in implementation.argnames})
            except (Exception, SystemExit) as error:
                plugin = next(p for p in self.plugins if p.source.name == implementation.plugin_name)
                plugin.problem = _reason(error)

    # -- components ----------------------------------------------------------------------------------

    def components(self, kind: Kind | None = None) -> list[tuple[Plugin, Component]]:
        """Return all components (of one kind) with the plugin that offers each, sorted by kind and name."""
        found = [(p, c) for p in self.plugins for c in p.components if kind in (None, c.kind)]
        return sorted(found, key=lambda pc: (KINDS.index(pc[1].kind), pc[1].name, pc[0].distribution))

    def find(self, kind: Kind, name: str) -> tuple[Plugin, Component]:
        """Return the component called ``name``, or ``distribution/name``.

        Raises:
            PluginError: unknown (with the nearest names), offered by two distributions, or written for
                another interface level.

        """
        plugin, component = self._pick(kind.replace("_", " "), name, self.components(kind))
        level = INTERFACE_LEVELS[kind]
        if component.level != level:
            raise PluginError(
                f"{kind} {name!r} of {plugin} was written for level {component.level} of that interface; "
                f"this nfcore has level {level}: install a {'newer' if component.level < level else 'older'} "
                f"{plugin.distribution}"
            )
        return plugin, component

    def load(self, kind: Kind, name: str) -> Any:
        """Return the class of a component, importing it now.

        Raises:
            PluginError: as ``find``; or the class can't be imported, with the reason.

        """
        plugin, component = self.find(kind, name)
        module, _, attribute = component.target.partition(":")
        try:
            return functools.reduce(getattr, attribute.split("."), importlib.import_module(module))
        except (Exception, SystemExit) as error:
            raise PluginError(f"{kind} {name!r} of {plugin} can't be loaded: {_reason(error)}") from error

    def build(self, kind: Kind, name: str, options: Mapping[str, Any] | Options, *context: Any) -> Any:
        """Return a new component: its class, called with its checked options and what its kind is given."""
        cls = self.load(kind, name)
        if not isinstance(options, Options):
            options = parse(cls.Options, options, f"{kind} {name!r}")
        return cls(options, *context)

    def name_of(self, kind: Kind, component: object) -> str:
        """Return the ``distribution/name`` under which the class of ``component`` is offered.

        Raises:
            PluginError: no plugin offers that class, so that a saved file could not name it.

        """
        for plugin, candidate in self.components(kind):
            module, _, attribute = candidate.target.partition(":")
            if getattr(sys.modules.get(module), attribute, None) is type(component):
                return f"{plugin.distribution}/{candidate.name}"
        cls = type(component)
        raise PluginError(
            f"no plugin offers {cls.__module__}:{cls.__qualname__} as {kind}; "
            "give it an entry point to save it by name"
        )

    # -- recipes -------------------------------------------------------------------------------------

    def recipes(self) -> list[tuple[Plugin, Recipe]]:
        """Return all recipes with the plugin that offers each, sorted by name."""
        found = [(p, r) for p in self.plugins for r in p.recipes]
        return sorted(found, key=lambda pr: (pr[1].name, pr[0].distribution))

    def recipe(self, name: str) -> Recipe:
        """Return the recipe called ``name`` or ``distribution/name``.

        Raises:
            PluginError: unknown (with the nearest names) or offered by two distributions.

        """
        return self._pick("recipe", name, self.recipes())[1]

    def _pick(self, what: str, name: str, offers: list[tuple[Plugin, Offer]]) -> tuple[Plugin, Offer]:
        distribution, _, bare = name.rpartition("/")
        found = [(p, o) for p, o in offers if o.name == bare and distribution in ("", p.distribution)]
        if len(found) == 1:
            return found[0]
        if len({p.distribution for p, _ in found}) == 1:
            raise PluginError(
                f"{what} {name!r} is offered more than once by {found[0][0]}: that plugin is at fault"
            )
        if found:
            choices = " or ".join(sorted(f"{p.distribution}/{bare}" for p, _ in found))
            raise PluginError(f"{what} {name!r} is offered by more than one distribution: say {choices}")
        broken = "".join(f"; {p} is broken: {p.problem}" for p in self.plugins if p.problem)
        raise PluginError(f"unknown {what} {name!r}: {nearest(bare, {o.name for _, o in offers})}{broken}")


def _checked(component: Component) -> Component:
    if component.kind not in KINDS:
        raise PluginError(f"component {component.name!r} has the unknown kind {component.kind!r}")
    return component


def _reason(error: BaseException) -> str:
    """Return an error in one line, with its type unless it is one of ours."""
    lines = str(error).strip().splitlines() or [""]
    text = " ".join(lines) if isinstance(error, pluggy.PluginValidationError) else lines[0]
    return text if isinstance(error, NfcoreError) else f"{type(error).__name__}: {text}"


def _selected(sources: list[PluginSource], environ: Mapping[str, str]) -> list[PluginSource]:
    """Apply ``NFCORE_PLUGINS_ONLY`` and ``NFCORE_PLUGINS_DISABLE``: comma-separated distributions."""

    def names(variable: str) -> set[str]:
        return {name.strip() for name in environ.get(variable, "").split(",") if name.strip()}

    only, disabled = names("NFCORE_PLUGINS_ONLY"), names("NFCORE_PLUGINS_DISABLE")
    return [s for s in sources if (not only or s.distribution in only) and s.distribution not in disabled]


_make: Callable[[tuple[Path, ...]], PluginManager] = functools.cache(
    lambda folders: PluginManager(_selected(discover(folders), os.environ))
)
_folders: tuple[Path, ...] = ()


def use_plugin_folders(folders: Iterable[Path]) -> None:
    """Take plugins from source folders too, as ``--plugins-dir`` does."""
    global _folders
    _folders = tuple(folders)


def plugins() -> PluginManager:
    """Return the manager of all plugins of this process, loaded on the first call."""
    return _make(_folders)
