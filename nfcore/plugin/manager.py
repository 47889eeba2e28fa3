"""The plugin manager: finds components, recipes and publications by kind and name."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from nfcore.errors import PluginError, UserError, nearest
from nfcore.options import Options
from nfcore.plugin.building import make
from nfcore.plugin.class_lookup import missing
from nfcore.plugin.components import INTERFACE_LEVELS, KINDS, Component, Kind, Publication, Recipe
from nfcore.plugin.entry_points import PluginSource, canonical
from nfcore.plugin.guard import guarded
from nfcore.plugin.identity import Identity, mark
from nfcore.plugin.isolation import Plugin, PluginIsolation, is_users, reason

if TYPE_CHECKING:
    from nfcore.interfaces import Backbone, Exporter, Loss, RayEncoding, RaySource, Teacher, Upsampler
    from nfcore.scene.bounds import Scene

Offer = TypeVar("Offer", Component, Recipe, Publication)


class PluginManager:
    """Loads plugins in isolation, and finds and builds components by name.

    Args:
        sources: the plugins to load. One that raises while it is loaded, or while it lists its offers, is kept
            in ``plugins`` with its ``problem`` and without offers.
        disabled: plugins that are not loaded, each with the environment variable that disables it.
        explain: yields further reasons why there may be no component or recipe of a name; called with what is
            missing, such as ``"ray source"``, and the name.

    """

    def __init__(
        self,
        sources: Iterable[PluginSource],
        disabled: Iterable[tuple[PluginSource, str]] = (),
        explain: Callable[[str, str], Iterable[str]] = lambda what, name: (),
    ) -> None:
        self.disabled = list(disabled)
        self._explain = explain
        self._isolation = PluginIsolation()
        self.hooks = self._isolation.hooks
        self.plugins = [self._isolation.load(source) for source in sources]

    def call(self, plugin: Plugin, hook: str, **arguments: Any) -> bool:
        """Call ``hook`` of one plugin in isolation; on an error set its ``problem`` and return False."""
        return self._isolation.call(plugin, hook, **arguments)

    # -- components ----------------------------------------------------------------------------------

    def components(self, kind: Kind | None = None) -> list[tuple[Plugin, Component]]:
        """Return all components (of one kind), each with its plugin, sorted by kind and name."""
        found = [(p, c) for p in self.plugins for c in p.components if kind in (None, c.kind)]
        return sorted(found, key=lambda pc: (KINDS.index(pc[1].kind), pc[1].name, pc[0].distribution))

    def find(self, kind: Kind, name: str) -> tuple[Plugin, Component]:
        """Return the component called ``name``, or ``distribution/name``.

        Raises:
            UserError: there is no such kind.
            PluginError: unknown (with the nearest names), offered by two distributions, or written for
                another interface level.

        """
        if kind not in KINDS:
            raise UserError(f"unknown kind of component {kind!r}; {nearest(str(kind), KINDS)}")
        plugin, component = self._pick(kind.replace("_", " "), name, self.components(kind))
        problem = _level_problem(plugin, component)
        if problem:
            raise PluginError(f"{kind} {name!r} of {plugin} {problem}")
        return plugin, component

    def problem(self, plugin: Plugin, component: Component) -> str | None:
        """Return why ``component`` can't be used by its bare name, without importing it; None if it can."""
        return (
            _ambiguity(plugin, component, self.components(component.kind))
            or _level_problem(plugin, component)
            or missing(component.target)
        )

    def load(self, kind: Kind, name: str) -> Any:
        """Return the class of a component, importing it now.

        Raises:
            PluginError: as for ``find``; or the class can't be imported.

        """
        plugin, component = self.find(kind, name)
        module, _, attribute = component.target.partition(":")
        imported = getattr(sys.modules.get(module), "__dict__", {})
        if attribute in imported:  # a sweep loads the same classes thousands of times
            return imported[attribute]
        try:
            with guarded(filters=False):
                return functools.reduce(getattr, attribute.split("."), importlib.import_module(module))
        except BaseException as error:
            if is_users(error):
                raise
            raise PluginError(f"{kind} {name!r} of {plugin} can't be loaded: {reason(error)}") from error

    @overload
    def build(
        self,
        kind: Literal["ray_source"],
        name: str,
        options: Mapping[str, Any] | Options,
        image_size: int | None = None,
        /,
    ) -> RaySource: ...
    @overload
    def build(
        self, kind: Literal["teacher"], name: str, options: Mapping[str, Any] | Options, scene: Scene, /
    ) -> Teacher: ...
    @overload
    def build(
        self, kind: Literal["encoding"], name: str, options: Mapping[str, Any] | Options, scene: Scene, /
    ) -> RayEncoding: ...
    @overload
    def build(
        self, kind: Literal["backbone"], name: str, options: Mapping[str, Any] | Options, in_channels: int, /
    ) -> Backbone: ...
    @overload
    def build(
        self,
        kind: Literal["upsampler"],
        name: str,
        options: Mapping[str, Any] | Options,
        in_channels: int,
        scale: int,
        /,
    ) -> Upsampler: ...
    @overload
    def build(
        self, kind: Literal["exporter"], name: str, options: Mapping[str, Any] | Options, /
    ) -> Exporter[Any]: ...
    @overload
    def build(self, kind: Literal["loss"], name: str, options: Mapping[str, Any] | Options, /) -> Loss: ...
    def build(self, kind: Kind, name: str, options: Mapping[str, Any] | Options, /, *context: Any) -> Any:
        """Return a new component: its class, called with its checked options and its kind's context.

        >>> plugins().build("backbone", "residual-conv", {"width": 64}, 312)  # doctest: +SKIP

        Args:
            kind: which interface it implements.
            name: its name, or ``distribution/name``.
            options: as a mapping, or as the class's own ``Options``.
            context: ``image_size`` for a ray source (optional), the ``scene`` for a teacher and an encoding,
                ``in_channels`` for a backbone, ``in_channels`` and ``scale`` for an upsampler, nothing for an
                exporter and a loss.

        Raises:
            UserError: wrong options or a wrong context, or the class rejects them.
            PluginError: as for ``load``; or the class can't be built as its kind requires.

        """
        cls = self.load(kind, name)
        identity = self.identity(kind, name)
        component = make(cls, identity, options, context)
        mark(component, identity)
        return component

    def identity(self, kind: Kind, name: str) -> Identity:
        """Return the identity of a component, by which errors name it.

        Raises:
            PluginError: as for ``find``.

        """
        plugin, component = self.find(kind, name)
        return Identity(kind, component.name, plugin.distribution, plugin.source.version)

    def name_of(self, kind: Kind, component: object) -> str:
        """Return the ``distribution/name`` of the class of ``component``.

        Raises:
            PluginError: no plugin offers that class, so a saved file can't name it.

        """
        for plugin, candidate in self.components(kind):
            module, _, attribute = candidate.target.partition(":")
            place: object = sys.modules.get(module)
            for part in attribute.split("."):
                place = getattr(place, part, None)
            if place is type(component):
                return f"{plugin.distribution}/{candidate.name}"
        cls = type(component)
        raise PluginError(
            f"no plugin offers {cls.__module__}:{cls.__qualname__} as {kind}; "
            "give it an entry point to save it by name"
        )

    # -- recipes -------------------------------------------------------------------------------------

    def recipes(self) -> list[tuple[Plugin, Recipe]]:
        """Return all recipes, each with its plugin, sorted by name."""
        return _by_name((p, recipe) for p in self.plugins for recipe in p.recipes)

    def recipe(self, name: str) -> Recipe:
        """Return the recipe called ``name`` or ``distribution/name``.

        Raises:
            PluginError: unknown (with the nearest names) or offered by two distributions.

        """
        return self._pick("recipe", name, self.recipes())[1]

    def recipe_problem(self, plugin: Plugin, recipe: Recipe) -> str | None:
        """Return why ``recipe`` can't be used by its bare name, or None."""
        return _ambiguity(plugin, recipe, self.recipes()) or (
            None if recipe.path.is_file() else f"{recipe.path}: no such file"
        )

    # -- publications --------------------------------------------------------------------------------

    def publications(self) -> list[tuple[Plugin, Publication]]:
        """Return all published figures, each with its plugin, sorted by name."""
        return _by_name((p, figures) for p in self.plugins for figures in p.publications)

    def publication(self, name: str) -> Publication:
        """Return the published figures called ``name`` or ``distribution/name``.

        Raises:
            PluginError: unknown (with the nearest names) or offered by two distributions.

        """
        return self._pick("publication", name, self.publications())[1]

    # -- names ---------------------------------------------------------------------------------------

    def unknown(self, what: str, name: str, known: Iterable[str]) -> PluginError:
        """Return the error for an unknown name: the nearest names, and why it may be missing."""
        hints = [
            nearest(name.rpartition("/")[2], known),
            *(f"{p} is broken: {p.problem}" for p in self.plugins if p.problem),
            *(f"{s} is disabled by {variable}" for s, variable in self.disabled),
            *self.elsewhere(what, name),
        ]
        return PluginError(f"unknown {what} {name!r}: {'; '.join(hints)}")

    def elsewhere(self, what: str, name: str) -> list[str]:
        """Return where else there may be a ``what`` called ``name``, such as a plugin that is not installed."""
        return list(self._explain(what, name))

    def _pick(self, what: str, name: str, offers: list[tuple[Plugin, Offer]]) -> tuple[Plugin, Offer]:
        distribution, _, bare = name.rpartition("/")
        distribution = canonical(distribution)
        found = [(p, o) for p, o in offers if o.name == bare and distribution in ("", p.distribution)]
        if len(found) == 1:
            return found[0]
        if len({p.distribution for p, _ in found}) == 1:
            raise PluginError(
                f"{what} {name!r} is offered more than once by {found[0][0]}, which is a fault of that plugin"
            )
        if found:
            choices = " or ".join(sorted(f"{p.distribution}/{bare}" for p, _ in found))
            raise PluginError(f"{what} {name!r} is offered by more than one distribution: say {choices}")
        raise self.unknown(what, name, {o.name for _, o in offers})


def _by_name(offers: Iterable[tuple[Plugin, Offer]]) -> list[tuple[Plugin, Offer]]:
    return sorted(offers, key=lambda offer: (offer[1].name, offer[0].distribution))


def _ambiguity(plugin: Plugin, offer: Offer, offers: list[tuple[Plugin, Offer]]) -> str | None:
    others: set[str] = {p.distribution for p, o in offers if o is not offer and o.name == offer.name}
    if plugin.distribution in others:
        return "its distribution offers that name more than once"
    if others:
        full = " or ".join(sorted(f"{d}/{offer.name}" for d in {plugin.distribution, *others}))
        return f"more than one distribution offers that name: say {full}"
    return None


def _level_problem(plugin: Plugin, component: Component) -> str | None:
    level = INTERFACE_LEVELS[component.kind]
    if component.level == level:
        return None
    return (
        f"was written for level {component.level} of that interface; this nfcore has level {level}: "
        f"install {'a newer' if component.level < level else 'an older'} {plugin.distribution}"
    )
