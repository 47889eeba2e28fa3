"""``plugins info`` shows a component and its options as their model has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import pytest
from command_line import nfcore
from installed import tiny_distribution
from pydantic import Field
from test_manager import offering as offering_all
from tiny import source

import nfcore as core
from nfcore import Component
from nfcore.cli.info import matching, option_rows
from nfcore.plugin.manager import PluginManager


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> list[Path]:
    return tiny_distribution(tmp_path_factory.mktemp("site"))


@pytest.mark.slow
def test_a_component_is_shown_with_its_origin_and_its_options(path):
    (card,) = json.loads(nfcore("plugins", "info", "sky", "--json", path=path).stdout)
    assert card == {
        "kind": "teacher",
        "name": "sky",
        "distribution": "tiny-dist",
        "version": "1.2",
        "level": 2,
        "target": "tiny:Sky",
        "summary": "The sky",
        "description": "Knows the sky but for its brightness, which it takes from the photos.",
        "options": [
            {
                "name": "gain",
                "type": "float",
                "default": 1.0,
                "description": "Factor on the fitted brightness",
            }
        ],
    }
    printed = nfcore("plugins", "info", "tiny_dist/sky", path=path).stdout
    for value in ("teacher sky: The sky", "tiny-dist 1.2", "tiny:Sky", "gain", "1.0", "Factor on the fitted"):
        assert value in printed


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("mixing", ["backbone", "upsampler"]),
        ("upsampler:mixing", ["upsampler"]),
        ("backbone:tiny-dist/mixing", ["backbone"]),
        ("tiny-dist", ["teacher", "backbone", "upsampler"]),
    ],
)
def test_a_name_that_several_kinds_have_means_them_all(kinds, name):
    mixing, shuffle = (Component(kind, "mixing", "tiny:Mixing") for kind in ("backbone", "upsampler"))
    manager = PluginManager(
        [source(offering_all(mixing, shuffle, Component("teacher", "sky", "tiny:Sky", level=2)))]
    )
    assert [component.kind for _, component in matching(manager, name)] == kinds


@pytest.mark.slow
def test_a_class_that_is_no_component_is_shown_with_its_problem(path):
    (card,) = json.loads(nfcore("plugins", "info", "optionless", "--json", path=path).stdout)
    assert "options" not in card
    assert card["problem"].startswith("tiny_plugin:Path is no exporter: ")
    assert "can't be used as it is" in nfcore("plugins", "info", "optionless", path=path).stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("skye", "unknown component 'skye': did you mean 'sky'"),
        ("teacher:mixin", "unknown teacher 'mixin': there is deferred, hash-grid, mip-nerf, mobilenerf, nerf"),
        ("techer:sky", "unknown kind 'techer'; did you mean 'teacher'?"),
        ("other-dist/sky", "unknown component 'other-dist/sky'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(path, name, said):
    done = nfcore("plugins", "info", name, path=path)
    assert done.returncode == 2
    assert said in done.stderr


class Inner(core.Options):
    depth: int = Field(2, gt=0, lt=9, description="Depth")


class Many(core.Options):
    needed: int = Field(description="Needed")
    mode: Literal["a", "b", 3] = Field("a", description="Mode")
    maybe: float | None = Field(None, ge=0.5, description="Maybe")
    sizes: tuple[Annotated[int, Field(ge=1)], ...] = Field((1, 2), description="Sizes")
    where: Path = Field(Path("here"), description="Where")
    names: list[str] = Field(default_factory=list, description="Names")
    inner: Inner = Field(Inner(), description="Inner")


def test_types_and_defaults_are_as_their_author_wrote_them():
    rows = {row["name"]: (row["type"], row.get("default", "required")) for row in option_rows(Many)}
    assert rows == {
        "needed": ("int", "required"),
        "mode": ('"a" | "b" | 3', "a"),
        "maybe": ("float | none >= 0.5", None),
        "sizes": ("tuple[int >= 1, ...]", [1, 2]),
        "where": ("Path", "here"),
        "names": ("list[str]", []),
        "inner.depth": ("int > 0, < 9", 2),
    }


def test_every_option_of_every_installed_component_can_be_shown(command, tmp_path):
    listed = json.loads(command("plugins", "list", "--json", cwd=tmp_path).stdout)
    for component in listed["components"]:
        name = f"{component['kind']}:{component['distribution']}/{component['name']}"
        (card,) = json.loads(command("plugins", "info", name, "--json", cwd=tmp_path).stdout)
        assert card["description"]
        assert all(option["type"] and option["description"] for option in card["options"])
