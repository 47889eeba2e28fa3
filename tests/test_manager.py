"""Each plugin behind its own fence: a broken one says why and costs the others nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import tiny_plugin
from plugins_in_memory import hooks, offering
from tiny import source

import nfcore
from nfcore import Component, PluginError, Publication, Recipe
from nfcore.plugin.manager import PluginManager


def fails():
    raise ValueError("no luck\nand more")


def fails_late():
    yield Component("teacher", "early", "tiny:Sky", level=2)
    raise RuntimeError("half way")


def exits():
    raise SystemExit("told to leave")


BROKEN = {
    "import error": (ImportError("No module named 'tensorflow'"), "ImportError: No module named 'tensorflow'"),
    "syntax error": (SyntaxError("invalid syntax"), "SyntaxError: invalid syntax"),
    "exit": (SystemExit("I want out"), "SystemExit: I want out"),
    "misspelt hook": (hooks(nfcore_component=lambda: None), "nfcore_component"),
    "wrong argument": (hooks(nfcore_components=lambda wrong: []), "wrong"),
    "hook raises": (hooks(nfcore_components=fails), "ValueError: no luck"),
    "hook raises late": (hooks(nfcore_components=fails_late), "RuntimeError: half way"),
    "hook exits": (hooks(nfcore_components=exits), "SystemExit: told to leave"),
    "recipes raise": (hooks(nfcore_recipes=fails), "ValueError: no luck"),
    "publications raise": (hooks(nfcore_publications=fails), "ValueError: no luck"),
    "a publication without a path": (
        hooks(nfcore_publications=lambda: [Publication("x", "tables.toml")]),
        "publication 'x': its path must be a Path",
    ),
    "a publication with spaces": (
        hooks(nfcore_publications=lambda: [Publication("x y", Path("tables.toml"))]),
        "a publication's name is lower case",
    ),
    "yields rubbish": (hooks(nfcore_components=lambda: ["teacher"]), "yielded 'teacher', not a Component"),
    "yields a recipe": (
        hooks(nfcore_components=lambda: [Recipe("x", Path("x"))]),
        "not a Component",
    ),
    "yields nothing iterable": (hooks(nfcore_components=lambda: None), "NoneType"),
    "unknown kind": (offering(Component("painter", "x", "tiny:Sky")), "unknown kind 'painter'"),
}


def call_each(manager, hook: str, **arguments):
    """Call the hook of every sound plugin; return those that broke in it."""
    sound = [plugin for plugin in manager.plugins if plugin.problem is None]
    return [plugin for plugin in sound if not manager.call(plugin, hook, **arguments)]


@pytest.mark.parametrize("plugin", BROKEN)
@pytest.mark.parametrize("first", [True, False])
def test_a_broken_plugin_costs_the_others_nothing_and_says_why(plugin, first):
    thing, reason = BROKEN[plugin]
    sources = [source(thing, "bad-dist"), source(tiny_plugin)]
    manager = PluginManager(sources if first else sources[::-1])
    assert manager.load("teacher", "sky") is tiny.Sky
    assert [c.name for _, c in manager.components("teacher")] == ["sky"]
    assert [r.name for _, r in manager.recipes()] == ["tiny"]
    (bad,) = [p for p in manager.plugins if p.problem]
    assert bad.distribution == "bad-dist"
    assert reason in bad.problem
    assert "\n" not in bad.problem

    with pytest.raises(PluginError) as error:
        manager.load("teacher", "hers")
    assert "unknown teacher 'hers'" in str(error.value)
    assert "bad-dist 1.0 is broken" in str(error.value)
    assert reason in str(error.value)
    with pytest.raises(PluginError, match=r"bad-dist 1\.0 is broken"):
        manager.recipe("hers")


def test_two_broken_plugins_are_both_named():
    manager = PluginManager([source(ImportError("a"), "dist-a"), source(ImportError("b"), "dist-b")])
    with pytest.raises(PluginError) as error:
        manager.find("teacher", "x")
    assert "dist-a 1.0 is broken: ImportError: a; dist-b 1.0 is broken: ImportError: b" in str(error.value)


def test_a_keyboard_interrupt_is_not_a_broken_plugin():
    with pytest.raises(KeyboardInterrupt):
        PluginManager([source(KeyboardInterrupt())])


def test_two_entry_points_of_one_distribution_are_two_plugins():
    teacher, exporter = (
        Component("teacher", "sky", "tiny:Sky", level=2),
        Component("exporter", "copy", "tiny:Copy", level=2),
    )
    manager = PluginManager(
        [source(offering(teacher), name="one"), source(offering(exporter), name="two")],
    )
    assert [c.name for _, c in manager.components()] == ["sky", "copy"]
    assert not any(p.problem for p in manager.plugins)


def test_a_hook_that_raises_when_it_is_called_breaks_its_plugin_alone():
    def commands(app):
        app.append("mine")

    def raises(app):
        raise OSError("gone")

    manager = PluginManager(
        [
            source(hooks(nfcore_commands=raises), "bad-dist"),
            source(hooks(nfcore_commands=commands), "good-dist"),
        ]
    )
    said: list[str] = []
    call_each(manager, "nfcore_commands", app=said)
    assert said == ["mine"]
    assert {p.distribution: p.problem for p in manager.plugins} == {"bad-dist": "OSError: gone", "good-dist": None}


def test_a_hook_that_exits_when_it_is_called_breaks_its_plugin_alone():
    manager = PluginManager([source(hooks(nfcore_commands=lambda app: exits()), "bad-dist")])
    call_each(manager, "nfcore_commands", app=[])
    assert manager.plugins[0].problem == "SystemExit: told to leave"


@pytest.mark.parametrize("marker", ["wrapper", "hookwrapper", "tryfirst", "trylast"])
def test_a_marker_that_would_reach_into_other_plugins_is_refused_by_name(marker):
    class Reaching:
        @nfcore.hookimpl(**{marker: True})
        def nfcore_components(self):
            yield

    manager = PluginManager([source(Reaching(), "reaching-dist"), source(tiny_plugin)])
    assert manager.plugins[0].problem.startswith(f"nfcore_components is marked {marker}=True")
    assert [component.name for _, component in manager.components("teacher")] == ["sky"]
    with pytest.raises(PluginError, match=f"reaching-dist 1.0 is broken: nfcore_components is marked {marker}"):
        manager.find("teacher", "reaching")


def test_a_hook_may_have_a_name_of_its_own_and_be_of_another_version():
    class Renamed:
        @nfcore.hookimpl(specname="nfcore_components")
        def first(self):
            yield Component("backbone", "one", "tiny:Mixing")

        @nfcore.hookimpl(specname="nfcore_components")
        def second(self):
            yield Component("backbone", "two", "tiny:Mixing")

        @nfcore.hookimpl(optionalhook=True)
        def nfcore_hook_of_another_version(self):
            raise RuntimeError("nobody calls this")

    manager = PluginManager([source(Renamed())])
    assert manager.plugins[0].problem is None
    assert {component.name for _, component in manager.components("backbone")} == {"one", "two"}


def test_a_plugin_that_raised_is_not_called_again():
    calls: list[str] = []

    def raises(app):
        calls.append("called")
        raise OSError("gone")

    manager = PluginManager([source(hooks(nfcore_commands=raises), "bad-dist")])
    assert [p.distribution for p in call_each(manager, "nfcore_commands", app=[])] == ["bad-dist"]
    assert call_each(manager, "nfcore_commands", app=[]) == []
    assert calls == ["called"]
