"""Building a component by name: typed by its kind, and each mistake one line that names the component."""

from __future__ import annotations

import copy
import sys
import types
import typing

import pytest
import tiny
from tiny import SCENE, source

import nfcore
from nfcore import Component, UserError
from nfcore.plugin.components import INTERFACE_LEVELS, KINDS, Kind
from nfcore.plugin.identity import named
from nfcore.plugin.manager import PluginManager
from nfcore.testing.base import INTERFACES


class WithoutOptions:
    def __init__(self, options: object) -> None:
        pass


class TakesNoScene(tiny.Sky):
    def __init__(self, options: nfcore.Options) -> None:
        super().__init__(options, SCENE)


class Raises(tiny.Sky):
    def __init__(self, options: nfcore.Options, scene: nfcore.Scene) -> None:
        raise ZeroDivisionError("no luck")


@pytest.fixture
def odd(monkeypatch) -> PluginManager:
    module = types.ModuleType("odd_module")
    vars(module).update(without=WithoutOptions, noscene=TakesNoScene, raises=Raises, function=lambda options: None)
    monkeypatch.setitem(sys.modules, "odd_module", module)
    names = ["without", "noscene", "raises", "function"]

    @nfcore.hookimpl
    def nfcore_components():
        return [Component("teacher", name, f"odd_module:{name}", level=2) for name in names]

    return PluginManager([source(types.SimpleNamespace(nfcore_components=nfcore_components), "odd-dist")])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_built_is_typed_by_its_kind(kind):
    """Type checkers choose among the overloads by the kind's literal."""
    returned = {}
    for overload in typing.get_overloads(PluginManager.build):
        hints = overload.__annotations__
        returned[hints["kind"]] = hints["return"]
    assert returned[f"Literal[{kind!r}]"].partition("[")[0] == INTERFACES[kind].__name__


@pytest.mark.parametrize(
    ("kind", "name", "options", "context", "named"),
    [
        ("teacher", "sky", {}, (), ["teacher", "tiny-dist/sky 1.0", "(options, scene)"]),
        ("teacher", "sky", {}, (SCENE, 3), ["teacher", "tiny-dist/sky 1.0", "(options, scene)"]),
        ("upsampler", "shuffle", {}, (8,), ["upsampler", "tiny-dist/shuffle", "(options, in_channels, scale)"]),
        ("exporter", "copy", {}, (SCENE,), ["exporter", "tiny-dist/copy", "(options)"]),
        ("backbone", "mixing", {}, ("wide",), ["backbone", "tiny-dist/mixing", "TypeError"]),
        ("backbone", "mixing", {"wdth": 5}, (3,), ["backbone", "tiny-dist/mixing", "'wdth'", "'width'"]),
        ("backbone", "mixing", 5, (3,), ["backbone", "tiny-dist/mixing", "mapping", "5"]),
        ("backbone", "mixing", tiny.Sky.Options(), (3,), ["tiny-dist/mixing", "Mixing.Options", "Sky.Options"]),
        ("teecher", "sky", {}, (SCENE,), ["'teecher'", "'teacher'"]),
        ("teacher", "skye", {}, (SCENE,), ["teacher", "'skye'", "'sky'"]),
    ],
)
def test_a_mistake_is_one_line_that_names_the_component_and_what_is_expected(
    manager, kind, name, options, context, named
):
    with pytest.raises(UserError) as error:
        manager.build(kind, name, options, *context)
    assert "\n" not in str(error.value)
    for part in named:
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("without", ["odd-dist/without 1.0", "WithoutOptions", "nfcore.Options"]),
        ("function", ["odd-dist/function 1.0", "nfcore.Options"]),
        ("noscene", ["odd-dist/noscene 1.0", "(options, scene)"]),
        ("raises", ["odd-dist/raises 1.0", "ZeroDivisionError: no luck"]),
    ],
)
def test_a_class_that_can_not_be_built_names_its_distribution(odd, name, named):
    with pytest.raises(UserError) as error:
        odd.build("teacher", name, {}, SCENE)
    assert "\n" not in str(error.value)
    for part in named:
        assert part in str(error.value)


def test_a_ray_source_may_be_given_no_size(manager):
    assert manager.build("ray_source", "ring", {}).image_size is None
    assert manager.build("ray_source", "ring", {}, 8).image_size == 8


def test_what_was_built_by_name_is_named_by_it_also_as_a_copy(manager):
    encoding = manager.build("encoding", "directions", {}, SCENE)
    assert named(encoding) == named(copy.deepcopy(encoding)) == "encoding tiny-dist/directions 1.0"


def test_what_was_assembled_by_hand_is_named_by_its_class():
    assert named(tiny.Directions(tiny.Directions.Options(), SCENE)) == "Directions"


def test_a_class_that_allows_no_attributes_is_named_by_itself(monkeypatch):
    class Fixed:
        __slots__ = ()
        Options = nfcore.Options

        def __init__(self, options: nfcore.Options) -> None:
            pass

    monkeypatch.setitem(sys.modules, "fixed_module", types.SimpleNamespace(Fixed=Fixed))
    kind: Kind = "exporter"
    hook = nfcore.hookimpl(lambda: [Component(kind, "fixed", "fixed_module:Fixed", level=INTERFACE_LEVELS[kind])])
    manager = PluginManager([source(types.SimpleNamespace(nfcore_components=hook))])
    assert named(manager.build("exporter", "fixed", {})).endswith("Fixed")
