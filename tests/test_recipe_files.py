"""A recipe that extends another has its values where it gives none itself."""

from __future__ import annotations

import json

import pytest

import nfcore
from nfcore import UserError
from nfcore.config.layers import read_recipe
from nfcore.config.resolve import configure
from nfcore.plugin.manager import PluginManager


@pytest.fixture
def write(tmp_path):
    def make(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return make


def test_it_has_the_others_values_where_it_gives_none(manager, write):
    mine = write("mine.toml", 'extends = "tiny"\nimage_size = 32\ndistill.steps = 31\nstudent.scale = 2')
    tiny, changed = read_recipe("tiny", manager), read_recipe(mine, manager)
    assert changed == tiny | {
        "image_size": 32,
        "distill": tiny["distill"] | {"steps": 31},
        "student": tiny["student"] | {"scale": 2},
    }
    assert configure(mine, manager).student.backbone.options == {"width": 8}


@pytest.mark.parametrize(
    ("change", "teacher"),
    [
        ("teacher.gain = 0.5", {"name": "sky", "gain": 0.5}),
        ('teacher = { name = "tiny-dist/sky" }', {"name": "tiny-dist/sky", "gain": 1.0}),
        ('teacher = { name = "night", moon = true }', {"name": "night", "moon": True}),
        ('teacher = "night"', "night"),
    ],
)
def test_options_belong_to_the_component_that_they_were_given_for(manager, write, change, teacher):
    assert read_recipe(write("mine.toml", f'extends = "tiny"\n{change}'), manager)["teacher"] == teacher


def test_options_can_be_laid_over_a_components_name_alone(manager, write):
    mine = write("mine.toml", 'extends = "tiny"\nscene.train = 5')
    assert read_recipe(mine, manager)["scene"] == {"name": "ring", "train": 5}


def test_it_can_extend_a_file_beside_it_and_that_another(manager, write):
    write("first.toml", 'extends = "tiny"\nseed = 1\nimage_size = 32')
    write("second.toml", 'extends = "first.toml"\nseed = 2')
    third = read_recipe(write("third.toml", 'extends = "second.toml"'), manager)
    assert (third["seed"], third["image_size"]) == (2, 32)
    assert "extends" not in third


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('extends = "mine.toml"', "mine.toml: extends itself"),
        ('extends = "other.toml"', "other.toml: no such file"),
        ('extends = "tinny"', "unknown recipe 'tinny': did you mean 'tiny'"),
        ("extends = 3", "extends must be a recipe's name or a TOML file, not 3"),
    ],
)
def test_what_can_not_be_extended_is_a_users_error(manager, write, text, said):
    with pytest.raises(UserError) as error:
        read_recipe(write("mine.toml", text), manager)
    assert said in str(error.value)


def test_two_that_extend_each_other_are_told_by_name(manager, write):
    write("a.toml", 'extends = "b.toml"')
    with pytest.raises(UserError, match=r"extends itself.* b\.toml, a\.toml"):
        read_recipe(write("b.toml", 'extends = "a.toml"'), manager)


# -- what the command line shows -----------------------------------------------------------------------


def test_show_prints_the_file_or_with_resolved_all_that_it_stands_for(command, tmp_path):
    shown = command("recipes", "show", "mobiler2l-gelu", cwd=tmp_path).stdout
    assert 'extends = "nfcore-mobiler2l/mobiler2l-conv"' in shown
    (tmp_path / "mine.toml").write_text(
        command("recipes", "show", "mobiler2l-gelu", "--resolved", cwd=tmp_path).stdout
    )
    manager = nfcore.plugins()
    assert configure(str(tmp_path / "mine.toml"), manager) == configure("mobiler2l-gelu", manager)
    as_json = json.loads(command("recipes", "show", "mobiler2l-gelu", "--json", cwd=tmp_path).stdout)
    assert as_json == read_recipe("mobiler2l-gelu", manager)


@pytest.mark.slow
def test_sizes_are_listed_for_the_recipes_images_or_for_others(command, tmp_path, monkeypatch):
    def sizes(*arguments):
        rows = json.loads(command("recipes", "list", "--sizes", "--json", *arguments, cwd=tmp_path).stdout)
        return {row["name"]: row for row in rows}

    listed = sizes()
    assert "no student" in listed["field"]["problem"]
    own = listed["mobiler2l"]
    assert (own["image"], own["rays"], own["parameters"]) == ("800x800", "100x100", 4_305_539)
    # Students are built to be counted: of all recipes, that takes seconds.
    one = [(plugin, recipe) for plugin, recipe in nfcore.plugins().recipes() if recipe.name == "mobiler2l"]
    monkeypatch.setattr(PluginManager, "recipes", lambda _: one)
    small = sizes("--image", "400x200")["mobiler2l"]
    assert (small["rays"], small["parameters"]) == ("50x25", own["parameters"])
    assert small["gmac"] == pytest.approx(own["gmac"] / 8, rel=1e-3)
    assert "problem" in sizes("--image", "401x200")["mobiler2l"]  # 8 does not divide it


@pytest.mark.parametrize("image", ["800", "0x8", "8 x 8", "axb", "8x8x8", "20000x8", "9" * 5000 + "x8"])
def test_an_image_size_that_is_none_is_a_users_error(command, tmp_path, image):
    done = command("recipes", "list", "--sizes", "--image", image, cwd=tmp_path)
    assert done.returncode == 2
    assert "write it as WIDTHxHEIGHT" in done.stderr
