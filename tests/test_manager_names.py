"""What is asked for by name: found and built, or answered with why not and what there is."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import tiny_plugin
from plugins_in_memory import offering
from tiny import source

from nfcore import Component, PluginError, Recipe, UserError
from nfcore.plugin.entry_points import discover
from nfcore.plugin.manager import PluginManager


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
