"""Each plugin behind its own fence: a broken one says why and costs the others nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import tiny_plugin
from tiny import source

import nfcore
from nfcore import Component, PluginError, Publication, Recipe, UserError
from nfcore.plugin.entry_points import discover
from nfcore.plugin.manager import PluginManager


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


# -- names -------------------------------------------------------------------------------------------


@pytest.fixture
def doubled():
    sky = Component("teacher", "sky", "tiny:Sky", level=2)
    ring = Component("teacher", "sky", "tiny:Ring", level=2)
    recipe = tuple(Recipe("quick", Path(name)) for name in ("one.toml", "two.toml"))
    return PluginManager(
        [
            source(offering(sky, recipes=recipe[:1]), "dist-a"),
            source(offering(ring, recipes=recipe[1:]), "dist-b"),
        ]
    )


def test_a_name_offered_twice_is_an_error_that_names_both(doubled):
    with pytest.raises(PluginError, match="more than one distribution: say dist-a/sky or dist-b/sky"):
        doubled.load("teacher", "sky")
    with pytest.raises(PluginError, match="say dist-a/quick or dist-b/quick"):
        doubled.recipe("quick")


def test_a_name_with_its_distribution_is_never_ambiguous(doubled):
    assert doubled.load("teacher", "dist-a/sky") is tiny.Sky
    assert doubled.load("teacher", "dist-b/sky") is tiny.Ring
    assert doubled.recipe("dist-b/quick").path == Path("two.toml")
    with pytest.raises(PluginError, match="unknown teacher 'dist-c/sky'"):
        doubled.load("teacher", "dist-c/sky")


def test_a_name_offered_twice_by_one_distribution_is_not_answered_with_a_choice_of_one():
    sky = Component("teacher", "sky", "tiny:Sky", level=2)
    manager = PluginManager([source(offering(sky), name="one"), source(offering(sky), name="two")])
    with pytest.raises(PluginError) as error:
        manager.find("teacher", "sky")
    assert "tiny-dist" in str(error.value)
    assert "tiny-dist/sky or tiny-dist/sky" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("skye", "did you mean 'sky'?"), ("tiny-dist/skye", "did you mean 'sky'?"), ("nerf", "there is sky")],
)
def test_an_unknown_name_is_answered_with_the_nearest(manager, name, hint):
    with pytest.raises(PluginError) as error:
        manager.find("teacher", name)
    assert str(error.value) == f"unknown teacher {name!r}: {hint}"


def test_a_name_belongs_to_its_kind(manager):
    with pytest.raises(PluginError, match="unknown ray source 'sky': there is ring"):
        manager.find("ray_source", "sky")


def test_the_name_of_a_component_is_the_one_that_finds_it(manager):
    name = manager.name_of("teacher", tiny.fitted_teacher())
    assert name == "tiny-dist/sky"
    assert manager.load("teacher", name) is tiny.Sky


def test_a_class_that_no_plugin_offers_has_no_name(manager):
    class Own(tiny.Sky):
        pass

    with pytest.raises(PluginError, match=r"no plugin offers .*Own as teacher.*entry point"):
        manager.name_of("teacher", Own(tiny.Sky.Options(), tiny.SCENE))


# -- loading -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "advice"), [(1, "a newer"), (3, "an older")])
def test_another_interface_level_is_reported_before_the_code_is_imported(level, advice):
    target = "a_module_that_must_not_be_imported:Teacher"
    manager = PluginManager([source(offering(Component("teacher", "old", target, level=level)))])
    with pytest.raises(PluginError) as error:
        manager.load("teacher", "old")
    assert f"written for level {level}" in str(error.value)
    assert "this nfcore has level 2" in str(error.value)
    assert f"install {advice} tiny-dist" in str(error.value)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("no_such_module:Teacher", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("tiny:NoSuchClass", "AttributeError"),
        ("broken_target:Teacher", "RuntimeError: driver missing"),
        ("leaving_target:Teacher", "SystemExit: bye"),
    ],
)
def test_a_class_that_can_not_be_imported_names_its_plugin_and_the_reason(tmp_path, monkeypatch, target, reason):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_target.py").write_text("raise RuntimeError('driver missing')")
    (tmp_path / "leaving_target.py").write_text("raise SystemExit('bye')")
    manager = PluginManager([source(offering(Component("teacher", "x", target, level=2)))])
    with pytest.raises(PluginError) as error:
        manager.load("teacher", "x")
    assert str(error.value).startswith("teacher 'x' of tiny-dist 1.0 can't be loaded: ")
    assert reason in str(error.value)


def test_a_component_is_built_with_its_checked_options_and_context(manager):
    body = manager.build("backbone", "mixing", {"width": 5}, 3)
    assert (body.options.width, body.in_channels) == (5, 3)
    assert manager.build("backbone", "mixing", tiny.Mixing.Options(width=6), 3).options.width == 6
    with pytest.raises(UserError, match=r"backbone .*mixing.*wdth.*width"):
        manager.build("backbone", "mixing", {"wdth": 5}, 3)


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
    manager.call_each("nfcore_commands", app=said)
    assert said == ["mine"]
    assert {p.distribution: p.problem for p in manager.plugins} == {"bad-dist": "OSError: gone", "good-dist": None}


def test_a_hook_that_exits_when_it_is_called_breaks_its_plugin_alone():
    manager = PluginManager([source(hooks(nfcore_commands=lambda app: exits()), "bad-dist")])
    manager.call_each("nfcore_commands", app=[])
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
    assert [p.distribution for p in manager.call_each("nfcore_commands", app=[])] == ["bad-dist"]
    assert manager.call_each("nfcore_commands", app=[]) == []
    assert calls == ["called"]


# -- what else may be the reason ---------------------------------------------------------------------


def test_an_unknown_name_is_answered_with_what_is_disabled_and_what_is_elsewhere():
    manager = PluginManager(
        [source(tiny_plugin)],
        disabled=[(source(None, "quiet-dist"), "NFCORE_PLUGINS_DISABLE")],
        explain=lambda what, name: [f"the catalogue has a {what} {name}"],
    )
    with pytest.raises(PluginError) as error:
        manager.find("ray_source", "nerf")
    assert str(error.value) == (
        "unknown ray source 'nerf': there is ring; quiet-dist 1.0 is disabled by NFCORE_PLUGINS_DISABLE; "
        "the catalogue has a ray source nerf"
    )
    assert manager.find("ray_source", "ring")  # a name that is there asks nobody else


def test_a_distribution_is_known_by_any_spelling_of_its_name():
    manager = PluginManager([source(tiny_plugin, "my-tiny-dist")])
    assert manager.load("teacher", "My_Tiny.Dist/sky") is tiny.Sky


def test_problems_of_components_are_told_without_importing_them():
    target = "a_module_that_must_not_be_imported:Teacher"
    offers = {
        "dist-a": Component("teacher", "twin", "tiny:Sky", level=2),
        "dist-b": Component("teacher", "twin", "tiny:Sky", level=2),
        "dist-c": Component("teacher", "old", target, level=0),
        "dist-d": Component("teacher", "lost", target, level=2),
        "dist-e": Component("teacher", "fine", "tiny:Sky", level=2),
    }
    manager = PluginManager([source(offering(component), name) for name, component in offers.items()])
    problems = {p.distribution: manager.problem(p, c) for p, c in manager.components()}
    assert problems["dist-a"] == problems["dist-b"]
    assert problems["dist-a"] == "more than one distribution offers that name: say dist-a/twin or dist-b/twin"
    assert "level 0" in problems["dist-c"]
    assert problems["dist-d"] == "ModuleNotFoundError: No module named 'a_module_that_must_not_be_imported'"
    assert problems["dist-e"] is None


def test_a_recipe_whose_file_is_gone_has_a_problem(tmp_path):
    manager = PluginManager([source(offering(recipes=(Recipe("gone", tmp_path / "gone.toml"),)))])
    ((plugin, recipe),) = manager.recipes()
    assert manager.recipe_problem(plugin, recipe) == f"{tmp_path / 'gone.toml'}: no such file"


def test_an_entry_point_that_is_declared_twice_does_not_harm_the_first():
    manager = PluginManager([source(tiny_plugin), source(offering())])
    assert [p.problem for p in manager.plugins] == [None, "the entry point 'tiny' is declared twice"]
    assert manager.load("teacher", "sky") is tiny.Sky


def test_a_plugin_whose_folder_is_named_twice_is_one_plugin(tmp_path):
    project = tmp_path / "twice"
    (project / "src" / "twice_named").mkdir(parents=True)
    (project / "src" / "twice_named" / "__init__.py").write_text("")
    (project / "pyproject.toml").write_text(
        '[project]\nname = "twice-named"\nversion = "1"\n[project.entry-points.nfcore]\ntwice = "twice_named"\n'
    )
    found = [source for source in discover([tmp_path, project]) if source.distribution == "twice-named"]
    assert len(found) == 1
