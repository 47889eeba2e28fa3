"""``plugins info`` shows a component's options from their model; shells complete the names of what there is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest
from command_line import environment, nfcore
from installed import install, offering
from pydantic import Field
from test_manager import offering as offering_all
from tiny import source

import nfcore as core
from nfcore import Component
from nfcore.cli.info import matching, option_rows
from nfcore.plugin.manager import PluginManager

TESTS = Path(__file__).parent
PLUGIN = """
import nfcore
from tiny_plugin import nfcore_recipes

@nfcore.hookimpl
def nfcore_components():
    yield nfcore.Component("teacher", "sky", "tiny:Sky", summary="The sky", level=2)
    yield nfcore.Component("backbone", "mixing", "tiny:Mixing")
    yield nfcore.Component("upsampler", "mixing", "tiny:Shuffle")
    yield nfcore.Component("exporter", "optionless", "tiny_plugin:Path", level=2)
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> list[Path]:
    return [install(tmp_path_factory.mktemp("site"), "tiny-dist", PLUGIN), TESTS]


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


def test_a_class_that_is_no_component_is_shown_with_its_problem(path):
    (card,) = json.loads(nfcore("plugins", "info", "optionless", "--json", path=path).stdout)
    assert "options" not in card
    assert card["problem"].startswith("tiny_plugin:Path is no exporter: ")
    assert "can't be used as it is" in nfcore("plugins", "info", "optionless", path=path).stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("skye", "unknown component 'skye': did you mean 'sky'?"),
        ("teacher:mixin", "unknown teacher 'mixin': there is hash-grid, mip-nerf, nerf, sky, voxels"),
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


# -- completion --------------------------------------------------------------------------------------


def completed(line: str, cwd: Path, path: list[Path]) -> str:
    """What zsh is told to propose after ``line``."""
    environ = environment(path, _NFCORE_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=line)
    done = subprocess.run([sys.executable, "-c", COMPLETE], capture_output=True, text=True, cwd=cwd, env=environ)
    assert done.stderr == ""
    return done.stdout


COMPLETE = """
import sys
sys.argv = ["nfcore"]
from nfcore.cli import main
try:
    main()
finally:
    assert "torch" not in sys.modules
"""


@pytest.mark.parametrize(
    ("line", "proposed", "not_proposed"),
    [
        ("nfcore run t", '"tiny"', "quickstart"),
        ("nfcore run ", '"mine.toml"', "voxels"),
        ("nfcore run quickstart --teacher ", '"sky"', "mixing"),
        ("nfcore run quickstart --scene bl", '"blender"', "sky"),
        ("nfcore run quickstart --scene runs/", '"runs/finished/"', "blender"),
        ("nfcore scene ru", '"runs/"', "blender"),
        ("nfcore plugins info mi", '"mixing"', "sky"),
        ("nfcore recipes show qui", '"quickstart"', "tiny"),
        ("nfcore evaluate ", '"finished"', "unfinished"),
        ("nfcore render fin", '"final.safetensors"', "finnish.txt"),
        ("nfcore render finished --path ", '"spiral"', "final.safetensors"),
        ("nfcore render finished --path fl", '"flight.json"', "spiral"),
        ("nfcore evaluate runs/", '"runs/unfinished/"', "student"),
        ("nfcore plugins new x --kind ra", '"ray_source"', "teacher"),
    ],
)
def test_a_shell_completes_names_without_torch(path, tmp_path, line, proposed, not_proposed):
    for name in ("mine.toml", "final.safetensors", "finnish.txt", "flight.json"):
        (tmp_path / name).touch()
    for name in ("finished", "unfinished"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "runs" / "finished" / "config.toml").touch()
    proposals = completed(line, tmp_path, path)
    assert proposed in proposals
    assert not_proposed not in proposals


def test_a_shell_completes_an_ambiguous_name_with_its_distributions(path, tmp_path):
    other = install(tmp_path / "site", "other-dist", offering("teacher", "sky", "tiny:Sky"))
    proposals = completed("nfcore run quickstart --teacher ", tmp_path, [*path, other])
    assert '"tiny-dist/sky"' in proposals
    assert '"other-dist/sky"' in proposals


def test_a_shell_completes_names_of_plugins_that_run_from_source(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "folder"\nversion = "1"\n[project.entry-points.nfcore]\nf = "from_folder"\n'
    )
    (tmp_path / "from_folder.py").write_text(offering("teacher", "sourced", "tiny:Sky"))
    assert '"sourced"' in completed("nfcore --plugins-dir . run quickstart --teacher so", tmp_path, [TESTS])


def test_a_plugins_folder_that_is_none_proposes_nothing(tmp_path):
    assert '"' not in completed("nfcore --plugins-dir nowhere run quickstart --teacher s", tmp_path, [TESTS])
