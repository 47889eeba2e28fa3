"""From a recipe's name and a user's changes to a configuration, or to what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny

import nfcore
from nfcore import PluginError, UserError
from nfcore.config.resolve import choose_exports, configure
from nfcore.config.schema import Choice, ExportChoice


@pytest.mark.parametrize("name", ["mobiler2l", "mobiler2l-small", "guided", "quickstart"])
def test_the_first_party_recipes_name_components_and_options_that_exist(name):
    config = configure(name, nfcore.plugins())
    assert config.summary
    assert set(config.export) >= {"coreml", "onnx"}


def test_every_recipe_of_an_installed_plugin_can_be_configured():
    manager = nfcore.plugins()
    recipes = manager.recipes()
    assert recipes
    for plugin, recipe in recipes:
        configure(f"{plugin.distribution}/{recipe.name}", manager)


def test_the_papers_recipe_has_the_papers_network():
    # MobileR2L, section 4.1 and its reference code: 8 points, 6 octaves, 60 layers of 256, 100x100 rays to 800x800
    config = configure("mobiler2l", nfcore.plugins())
    student = config.student
    assert student.encoding.options | {"span": "near-far"} == {"samples": 8, "octaves": 6, "span": "near-far"}
    assert (student.backbone.options["depth"], student.backbone.options["width"]) == (60, 256)
    assert (config.image_size, student.scale) == (800, 8)
    assert config.distill.views == 10_000


def test_a_recipe_is_taken_as_it_stands(manager):
    config = configure("tiny", manager)
    assert config.image_size == 16
    assert config.scene == Choice(name="ring")
    assert config.teacher.options == {"gain": 1.0}
    assert list(config.export) == ["exact", "elsewhere"]


# -- changes -----------------------------------------------------------------------------------------


def test_a_scene_is_a_name_alone_or_with_a_path(manager, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert configure("tiny", manager, scene="ring").scene == Choice(name="ring")
    with pytest.raises(UserError) as error:  # the tiny scene reads nothing
        configure("tiny", manager, scene="ring:photos")
    assert "unknown option 'path'" in str(error.value)
    config = configure("quickstart", nfcore.plugins(), scene="blender:photos")
    assert config.scene.name == "blender"
    assert config.scene.options["path"] == str(tmp_path / "photos")


def test_a_path_with_a_colon_stays_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = configure("quickstart", nfcore.plugins(), scene="blender:a:b")
    assert config.scene.options["path"] == str(tmp_path / "a:b")


def test_a_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = configure("quickstart", nfcore.plugins(), scene="blender:~/photos")
    assert config.scene.options["path"] == str(tmp_path / "photos")


def test_the_recipes_own_teacher_keeps_its_options_and_another_has_its_defaults(tmp_path, manager):
    assert configure("tiny", manager, teacher="sky").teacher.options == {"gain": 1.0}
    assert configure("tiny", manager, teacher="tiny-dist/sky").teacher.options == {"gain": 1.0}


@pytest.mark.parametrize(
    ("exports", "names"),
    [
        (None, {"exact": "copy", "elsewhere": "copy"}),
        ("exact", {"exact": "copy"}),
        ("copy, exact", {"copy": "copy", "exact": "copy"}),
        ("", {}),
    ],
)
def test_exports_are_the_recipes_or_exporters_by_name(manager, exports, names):
    config = configure("tiny", manager, exports=exports)
    assert {label: choice.name for label, choice in config.export.items()} == names


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("image_size=32", lambda c: c.image_size == 32),
        ("distill.steps = 100", lambda c: c.distill.steps == 100),
        ("scene.train=5", lambda c: c.scene.options == {"train": 5}),  # the recipe has the scene's name alone
        ("scene=ring", lambda c: c.scene == Choice(name="ring")),
        ("teacher.gain=0.5", lambda c: c.teacher.options == {"gain": 0.5}),
        ("student.norm=true", lambda c: c.student.backbone.options == {"width": 8, "norm": True}),
        ("student.jitter=0.1", lambda c: c.student.encoding.options == {"jitter": 0.1}),
        ("student.backbone.width=4", lambda c: c.student.backbone.options["width"] == 4),
        ("student.upsampler.width=4", lambda c: c.student.upsampler.options == {"width": 4}),
        ("student.scale=2", lambda c: c.student.scale == 2),
        ("export.exact.error=0.5", lambda c: c.export["exact"].options == {"error": 0.5}),
        ("export.new.name=copy", lambda c: c.export["new"] == ExportChoice(name="copy")),
        ("distill.precision=bf16", lambda c: c.distill.precision == "bf16"),
        ("summary=a=b", lambda c: c.summary == "a=b"),
    ],
)
def test_a_setting_can_be_changed_by_its_dotted_name(manager, change, value):
    assert value(configure("tiny", manager, changes=[change]))


def test_later_changes_win_and_changes_apply_to_the_chosen_exports(manager):
    config = configure(
        "tiny", manager, exports="copy", changes=["seed=1", "seed=2", "export.copy.runs_here=false"]
    )
    assert config.seed == 2
    assert config.export["copy"].options == {"runs_here": False}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("image_size", ["'image_size'", "key=value"]),
        ("=3", ["key=value"]),
        ("distill..steps=3", ["key=value"]),
        ("image_size=20000", ["image_size", "16384"]),
        ("imagesize=3", ["unknown option 'imagesize'", "did you mean 'image_size'?"]),
        ("distill.step=3", ["unknown option 'distill.step'", "did you mean 'steps'?"]),
        ("distill.steps=many", ["distill.steps", "integer", "'many'"]),
        ("distill.steps=-1", ["distill.steps", "greater than or equal to 0"]),
        ("seed.x=1", ["seed"]),
        ("image_size.x=1", ["'image_size' is a value, not a table"]),
        ("student.width=3", ["student.width is ambiguous", "student.backbone.width or student.upsampler.width"]),
        ("student.nrom=3", ["no part of the student has an option 'nrom'", "did you mean 'norm'?"]),
        ("student.backbone.wide=3", ["student.backbone (mixing)", "unknown option 'wide'", "'width'"]),
        ("student.backbone.width=0", ["student.backbone (mixing)", "width", "greater than or equal to 1"]),
        ("teacher.name=skye", ["unknown teacher 'skye'", "did you mean 'sky'?"]),
        ("export.exact.name=cpoy", ["unknown exporter 'cpoy'", "did you mean 'copy'?"]),
    ],
)
def test_a_wrong_change_says_what_would_be_right(manager, change, said):
    with pytest.raises(UserError) as error:
        configure("tiny", manager, changes=[change])
    assert len(str(error.value).splitlines()) <= 2
    for part in said:
        assert part in str(error.value)


def test_a_wrong_name_of_anything_is_a_plugin_error_before_any_work(manager):
    with pytest.raises(PluginError, match="unknown recipe 'tinny': did you mean 'tiny'"):
        configure("tinny", manager)
    with pytest.raises(PluginError, match="unknown ray source 'blender': there is ring"):
        configure("tiny", manager, scene="blender:x")
    with pytest.raises(PluginError, match="unknown teacher 'nerf'"):
        configure("tiny", manager, teacher="nerf")
    with pytest.raises(PluginError, match="unknown exporter 'onnx': there is bake, copy"):
        configure("tiny", manager, exports="onnx")


# -- recipes in files --------------------------------------------------------------------------------


def test_a_toml_file_is_a_recipe(manager, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(Path(tiny.__file__).with_name("tiny.toml").read_text().replace("steps = 30", "steps = 31"))
    assert configure(str(path), manager, changes=["seed=4"]).distill.steps == 31


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"seed = ", "not valid TOML"),
        (b"\xff\xfe", "UTF-8"),
        (b"seed = 1", "option 'scene' is missing"),
        (b"student = 3\nscene='ring'", "student"),
    ],
)
def test_a_bad_file_is_a_users_error_that_names_it(manager, tmp_path, content, reason):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=reason) as error:
        configure(str(path), manager)
    assert "mine.toml" in str(error.value)


@pytest.mark.parametrize("change", ["student.width=3", "student.scale=3"])
def test_a_student_that_is_no_table_is_a_users_error(manager, tmp_path, change):
    path = tmp_path / "mine.toml"
    path.write_text("student = 3\nscene = 'ring'\nteacher = 'sky'")
    with pytest.raises(UserError, match="student"):
        configure(str(path), manager, changes=[change])


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("scene", {"changes": ["scene.x=1"]}),
        ("teacher", {"changes": ["teacher.gain=1"]}),
        ("export", {"exports": "copy"}),
        ("scene", {}),
        ("teacher", {}),
        ("export", {}),
    ],
)
def test_a_number_where_a_component_is_due_is_a_users_error_that_names_the_key(manager, tmp_path, key, changes):
    recipe = Path(tiny.__file__).with_name("tiny.toml").read_text().partition("[export.exact]")[0]
    lines = [line for line in recipe.splitlines() if not line.startswith(f"{key} =")]
    path = tmp_path / "mine.toml"
    path.write_text("\n".join([f"{key} = 5", *lines]))
    with pytest.raises(UserError, match=key):
        configure(str(path), manager, **changes)


def test_a_teacher_that_is_chosen_replaces_whatever_the_recipe_has(manager, tmp_path):
    path = tmp_path / "mine.toml"
    recipe = Path(tiny.__file__).with_name("tiny.toml").read_text()
    path.write_text(recipe.replace('teacher = { name = "sky", gain = 1.0 }', "teacher = 5"))
    assert configure(str(path), manager, teacher="sky").teacher == Choice(name="sky")


def test_a_missing_file_is_a_users_error(manager, tmp_path):
    with pytest.raises(UserError, match=r"none\.toml: no such file"):
        configure(str(tmp_path / "none.toml"), manager)


# -- exports of a finished run -----------------------------------------------------------------------

OFFERED = {"exact": ExportChoice(name="copy"), "elsewhere": ExportChoice(name="copy", runs_here=False)}


def test_the_exports_of_a_run_are_all_offered_or_those_named(manager):
    assert choose_exports(OFFERED, [], [], None, manager) == OFFERED
    assert choose_exports(OFFERED, ["elsewhere"], [], None, manager) == {"elsewhere": OFFERED["elsewhere"]}
    assert choose_exports(OFFERED, ["copy"], ["error=0.5"], "half", manager) == {
        "half": ExportChoice(name="copy", error=0.5)
    }


@pytest.mark.parametrize(
    ("offered", "names", "changes", "label", "said"),
    [
        ({}, [], [], None, "name an exporter; there is bake, copy"),
        (OFFERED, [], [], "x", "2 exports"),
        (OFFERED, ["exact"], ["eror=1"], None, "unknown option 'eror'; did you mean 'error'"),
        (OFFERED, ["exakt"], [], None, "unknown exporter 'exakt'"),
    ],
)
def test_exports_that_can_not_be_made_say_why(manager, offered, names, changes, label, said):
    with pytest.raises(UserError) as error:
        choose_exports(offered, names, changes, label, manager)
    assert said in str(error.value)
